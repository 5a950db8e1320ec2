"""Packages that only some need: they come with an extra of the installation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

EXTRAS = {
    'app': ('gradio',),
    'coco': ('ijson', 'pycocotools'),
    'descriptions': ('openai',),
    'onnx': ('onnx', 'onnxruntime', 'onnxscript'),
}


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Import packages of an extra.

    Args:
        name: Which one: a key of ``EXTRAS``.

    Raises:
        ImportError: One is not installed; the sentence names it and the extra.

    Example:
        >>> with extra('coco'):
        ...     import ijson
        ImportError: ijson is not installed: install it, or mmseg_excel with its extra 'coco'.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS[name]:
            raise
        raise ImportError(
            f"{error.name} is not installed: install it, or mmseg_excel with its extra '{name}'."
        ) from None
