"""Triton kernels for NVIDIA's GPUs; imported where one is used, by ``ops`` alone.

Beside each lies a function that launches it. Plain versions, to which tests hold them, are in the
modules of ``ops`` with the same names.
"""
