"""The method written down literally: slow, plain, and independent of mmseg_excel.

Every function follows one formula of docs/method.md with explicit matrices and Python loops over
images and classes. It is what the package's numbers and speed are compared with.
"""
