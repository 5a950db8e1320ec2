"""The names of the toy world: what is drawn, where it stands, and the colour of each mask."""

TOY_CLASSES = (
    'boat',
    'house',
    'car',
    'tree',
    'fish',
    'bird',
    'flower',
    'person',
    'cat',
    'balloon',
)
"""Foreground classes; class ``i`` has the value ``i + 1`` in a mask."""

TOY_BACKGROUNDS = (
    'grass',
    'sky',
    'sea',
    'sand',
    'snow',
    'road',
    'wall',
    'field',
    'cloud',
    'stone',
    'box',
)
"""Names of everything else that is drawn: textures first, then clutter."""

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
