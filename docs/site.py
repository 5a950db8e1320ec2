"""Docstrings name code as Sphinx does; on the site its roles (``:class:``) are not shown."""

import re

ROLE = re.compile(r':(?:class|func|meth|mod|attr|data):(?=<(?:code|a)\b)')


def on_page_content(html: str, **_: object) -> str:
    """Take the roles out of a page."""
    return ROLE.sub('', html)
