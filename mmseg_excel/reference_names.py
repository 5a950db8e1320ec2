"""Names of the trained tensors in the published reference implementation and here."""

from __future__ import annotations

import re

# (pattern of a reference name, our name), one for each kind of trained tensor (method 6).
_RENAMES = (
    (r'decoder_fts_fuse\.linears_modulelist\.(\d+)\.proj\.(.+)', r'adapter.layers.\1.0.\2'),
    (r'decoder_fts_fuse\.linears_modulelist\.(\d+)\.proj_2\.(.+)', r'adapter.layers.\1.2.\2'),
    (r'decoder_fts_fuse\.linear_fuse\.(.+)', r'adapter.fuse.\1'),
    (r'decoder\.transformer\.resblocks\.(\d+)\.(.+)', r'decode_head.blocks.\1.\2'),
    (r'decoder\.linear_pred\.(.+)', r'decode_head.conv_seg.\1'),
)


def from_reference(name: str) -> str | None:
    """Our name of a reference tensor; None if it is not one of the trained ones."""
    for pattern, replacement in _RENAMES:
        if match := re.fullmatch(pattern, name):
            return match.expand(replacement)
    return None
