"""Names of the trained tensors in the published reference implementation and here."""

from __future__ import annotations

import re

# (beginning of a reference name, of ours), one for each kind of trained tensor (method 6); {}
# stands for the number of a layer.
_RENAMES = (
    ('decoder_fts_fuse.linears_modulelist.{}.proj.', 'adapter.layers.{}.0.'),
    ('decoder_fts_fuse.linears_modulelist.{}.proj_2.', 'adapter.layers.{}.2.'),
    ('decoder_fts_fuse.linear_fuse.', 'adapter.fuse.'),
    ('decoder.transformer.resblocks.{}.', 'decode_head.blocks.{}.'),
    ('decoder.linear_pred.', 'decode_head.conv_seg.'),
)


def from_reference(name: str) -> str | None:
    """Our name of a reference tensor; None if it is not one of the trained ones."""
    return _renamed(name, _RENAMES)


def to_reference(name: str) -> str | None:
    """The reference's name of one of our tensors; None if it is not one of the trained ones."""
    return _renamed(name, [(ours, theirs) for theirs, ours in _RENAMES])


def _renamed(name: str, renames) -> str | None:
    for old, new in renames:
        if match := re.match(re.escape(old).replace(r'\{\}', r'(\d+)'), name):
            return new.format(*match.groups()) + name[match.end() :]
    return None
