"""Gradio, which the page is made with, kept from telling others of it."""

from __future__ import annotations

import os

from ..utils.extras import extra

# Nothing is told to others, and the browser keeps no history of what was asked.
os.environ.setdefault('GRADIO_ANALYTICS_ENABLED', 'False')
os.environ.setdefault('GRADIO_RUN_HISTORY', 'False')

with extra('app'):
    import gradio as gr

__all__ = ['gr']
