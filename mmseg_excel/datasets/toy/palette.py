"""The colours of the toy world's masks."""

TOY_PALETTE = (
    (0, 0, 0),
    (30, 90, 200),
    (200, 60, 50),
    (240, 200, 40),
    (40, 140, 60),
    (240, 130, 40),
    (80, 200, 220),
    (230, 90, 170),
    (130, 80, 190),
    (150, 110, 70),
    (170, 230, 110),
)
"""RGB of each mask value: background, then ``TOY_CLASSES``."""
