"""Ranges of the settings that configs and questions to an image have in common.

Upper ends are far from anything sensible: beyond them numbers overflow or memory runs out.
"""

BLOCKS = '[0, 256]'  # of a transformer
WIDTH = '[1, 8192]'  # of its tokens
CALIBRATED_BLOCKS = BLOCKS  # N_svc; 0 is plain CLIP
ATTRIBUTE_WEIGHT = '[0, 1e6]'  # λ
KEEP_RATIO = '(0, 1]'  # K_r
BOX_THRESHOLD = '[0, 1]'  # τ
