"""Gradio's blocks, for senders of anything."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse

from .gradio import gr

NONSENSE = 'The page was sent what its own buttons never send: reload it and try again.'


class PoliteBlocks(gr.Blocks):
    """Blocks that refuse unreadable questions in a sentence, where Gradio has a traceback."""

    async def preprocess_data(self, block_fn, inputs, *arguments, **options):
        """Read what was sent; files must have been uploaded, addresses are not fetched."""
        try:
            if any(isinstance(value, dict) and '://' in str(value.get('path')) for value in inputs):
                raise gr.exceptions.InvalidPathError('an address, no uploaded file')
            return await super().preprocess_data(block_fn, inputs, *arguments, **options)
        except Exception:  # pydantic's errors, Gradio's own, TypeError, KeyError...
            raise gr.Error(NONSENSE, print_exception=False) from None


def refuse_nonsense(request: Request, error: Exception) -> PlainTextResponse:
    """Answer a request that names what is not there, such as an event with number -1."""
    return PlainTextResponse(NONSENSE, 400)
