"""The objects of the toy world: each a list of named, coloured parts in painting order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .colours import COLOURS, SKIN_TONES
from .shapes import box, circle, ellipse, polygon

_INK = (30, 30, 35)


@dataclass(frozen=True)
class Part:
    """One filled outline of an object.

    Args:
        name: What a caption calls it, singular or plural as drawn.
        outline: Points (M, 2) in the object's frame (see :mod:`.shapes`).
        rgb: Fill colour, 0-255.
        colour: The colour's name, or '' where no name is said.
    """

    name: str
    outline: np.ndarray
    rgb: tuple[int, int, int]
    colour: str = ''


class Brush:
    """Makes parts in the object's main colour, in other named colours, or in plain ones.

    Args:
        rng: Source of all randomness.
        main: Colour names that suit the object, of which one becomes its main colour.
        visible: Colour names that stand out from the backdrop; they are preferred.
    """

    def __init__(
        self, rng: np.random.Generator, main: Sequence[str], visible: Sequence[str]
    ) -> None:
        self.rng = rng
        self.visible = frozenset(visible)
        self.main = self.pick(*main)

    def pick(self, *names: str) -> str:
        """Return one of ``names`` that stands out from the backdrop, or any if none does."""
        return str(self.rng.choice([n for n in names if n in self.visible] or names))

    def chance(self, probability: float) -> bool:
        """Return True with ``probability``."""
        return bool(self.rng.random() < probability)

    def part(self, name: str, outline: np.ndarray, colour: str | None = None) -> Part:
        """Return a part in a named colour (default: the main one), slightly off its nominal RGB."""
        colour = colour or self.main
        rgb = np.clip(np.add(COLOURS[colour], self.rng.integers(-14, 15, 3)), 0, 255)
        red, green, blue = map(int, rgb)
        return Part(name, outline, (red, green, blue), colour)


def boat(brush: Brush) -> list[Part]:
    """A hull under sails, or under a cabin with a funnel."""
    hull = brush.part('hull', polygon((-1, 0.35), (1, 0.35), (0.65, 0.95), (-0.7, 0.95)))
    if brush.chance(0.65):
        sail = brush.pick('white', 'yellow')
        mast = brush.part('mast', box(-0.06, -1, 0.06, 0.4), brush.pick('brown', 'black'))
        parts = [
            mast,
            hull,
            brush.part('sails', polygon((0.1, -0.95), (0.85, 0.22), (0.1, 0.22)), sail),
            brush.part('sails', polygon((-0.1, -0.75), (-0.1, 0.22), (-0.7, 0.22)), sail),
        ]
    else:
        cabin = brush.pick('white', 'yellow')
        parts = [
            brush.part('funnel', box(0.15, -0.85, 0.5, -0.1), brush.pick('red', 'black')),
            brush.part('cabin', box(-0.5, -0.3, 0.6, 0.4), cabin),
            brush.part('windows', circle(-0.2, 0.02, 0.13), 'black'),
            brush.part('windows', circle(0.25, 0.02, 0.13), 'black'),
            hull,
        ]
    if brush.chance(0.3):
        parts.append(
            brush.part(
                'flag', polygon((0, -1), (0.45, -0.88), (0, -0.72)), brush.pick('red', 'blue')
            )
        )
    return parts


def house(brush: Brush) -> list[Part]:
    """Walls under a roof, with a door, windows and sometimes a chimney."""
    glass = brush.pick('black', 'blue')
    top = brush.rng.uniform(-0.3, -0.05)
    parts = [
        brush.part('walls', box(-0.75, top, 0.75, 0.95)),
        brush.part(
            'roof', polygon((-1, top), (0, -1), (1, top)), brush.pick('red', 'brown', 'purple')
        ),
        brush.part('door', box(-0.2, 0.35, 0.2, 0.95), brush.pick('brown', 'green')),
        brush.part('windows', box(-0.62, 0.15, -0.3, 0.5), glass),
        brush.part('windows', box(0.3, 0.15, 0.62, 0.5), glass),
    ]
    if brush.chance(0.5):
        parts.insert(
            0, brush.part('chimney', box(0.4, -0.95, 0.65, -0.1), brush.pick('red', 'grey'))
        )
    return parts


def car(brush: Brush) -> list[Part]:
    """A long body on two wheels under a roof with windows."""
    body = polygon((-1, 0.05), (-0.9, -0.1), (0.75, -0.1), (1, 0.15), (1, 0.5), (-1, 0.5))
    parts = [
        brush.part('roof', polygon((-0.7, -0.05), (-0.45, -0.6), (0.3, -0.6), (0.6, -0.05))),
        brush.part(
            'windows',
            polygon((-0.52, -0.1), (-0.36, -0.48), (-0.1, -0.48), (-0.1, -0.1)),
            brush.pick('white', 'black'),
        ),
        brush.part(
            'windows',
            polygon((0, -0.1), (0, -0.48), (0.23, -0.48), (0.44, -0.1)),
            brush.pick('white', 'black'),
        ),
        brush.part('body', body),
        brush.part('headlight', circle(0.9, 0.15, 0.11), 'yellow'),
    ]
    for x in (-0.55, 0.55):
        parts.append(brush.part('wheels', circle(x, 0.5, 0.28), 'black'))
        parts.append(Part('wheels', circle(x, 0.5, 0.12), (170, 170, 175)))
    return parts


def tree(brush: Brush) -> list[Part]:
    """A trunk under a leafy crown, sometimes with fruit, or under layers of needles."""
    trunk = brush.part('trunk', box(-0.16, 0, 0.16, 1), brush.pick('brown', 'black'))
    if brush.chance(0.4):
        layers = [(0.95, 0.45, -0.2), (0.75, 0.0, -0.6), (0.5, -0.45, -1.0)]
        return [trunk] + [
            brush.part('needles', polygon((-w, low), (w, low), (0, high)))
            for w, low, high in layers
        ]
    crown = [(-0.42, -0.15, 0.5), (0.42, -0.15, 0.5), (0, -0.5, 0.52)]
    parts = [trunk] + [brush.part('leaves', circle(*disc)) for disc in crown]
    if brush.chance(0.35):
        fruit = brush.pick('red', 'purple')
        spots = [(-0.5, -0.1), (0.05, -0.55), (0.45, -0.2), (0.0, 0.0)]
        parts += [brush.part('fruit', circle(x, y, 0.13), fruit) for x, y in spots]
    return parts


def fish(brush: Brush) -> list[Part]:
    """An oval body with a tail, fins, an eye and sometimes stripes."""
    fin = brush.pick('red', 'blue', 'purple')
    parts = [
        brush.part('tail', polygon((0.4, 0), (1, -0.5), (0.85, 0), (1, 0.5)), fin),
        brush.part('fins', polygon((-0.3, -0.3), (0.15, -0.75), (0.3, -0.25)), fin),
        brush.part('fins', polygon((-0.2, 0.3), (0.05, 0.7), (0.25, 0.25)), fin),
        brush.part('body', ellipse(-0.2, 0, 0.75, 0.45)),
    ]
    if brush.chance(0.5):
        stripe = brush.pick('white', 'black')
        parts += [
            brush.part('stripes', box(x, -0.36, x + 0.14, 0.36), stripe) for x in (-0.3, 0.05)
        ]
    parts.append(Part('eye', circle(-0.62, -0.1, 0.13), (245, 245, 245)))
    parts.append(Part('eye', circle(-0.64, -0.1, 0.06), _INK))
    return parts


def bird(brush: Brush) -> list[Part]:
    """A body with a head, a beak and a tail; spread wings in flight, or one wing and two legs."""
    wing = brush.pick('white', 'grey', 'yellow')
    flying = brush.chance(0.5)
    parts = []
    if flying:
        parts.append(
            brush.part('wings', polygon((-0.3, 0), (0.0, -1), (0.45, -0.9), (0.3, 0)), wing)
        )
    else:
        leg = brush.pick('orange', 'black')
        parts += [brush.part('legs', box(x, 0.4, x + 0.09, 1), leg) for x in (-0.12, 0.12)]
    parts += [
        brush.part('tail', polygon((0.4, 0.05), (1, -0.25), (1, 0.25)), wing),
        brush.part('body', ellipse(0, 0.12, 0.62, 0.4)),
        brush.part('head', circle(-0.55, -0.25, 0.3)),
        brush.part(
            'beak',
            polygon((-0.8, -0.32), (-1.1, -0.18), (-0.78, -0.1)),
            brush.pick('orange', 'yellow', 'black'),
        ),
        Part('eye', circle(-0.62, -0.3, 0.08), (250, 250, 250) if brush.main == 'black' else _INK),
    ]
    if flying:
        parts.append(
            brush.part('wings', polygon((-0.25, 0.1), (0.2, 0.95), (0.6, 0.8), (0.35, 0.1)), wing)
        )
    else:
        parts.append(brush.part('wing', ellipse(0.12, 0.1, 0.4, 0.2, 15), wing))
    return parts


def flower(brush: Brush) -> list[Part]:
    """Petals around a centre, on a stem with leaves."""
    green = 'green'
    parts = [
        brush.part('stem', box(-0.07, -0.2, 0.07, 1), green),
        brush.part('leaves', ellipse(-0.33, 0.6, 0.32, 0.14, 25), green),
        brush.part('leaves', ellipse(0.33, 0.45, 0.32, 0.14, -25), green),
    ]
    count = int(brush.rng.integers(5, 8))
    for degrees in np.arange(count) * 360 / count:
        x, y = 0.38 * np.cos(np.deg2rad(degrees)), 0.38 * np.sin(np.deg2rad(degrees))
        parts.append(brush.part('petals', ellipse(x, y - 0.4, 0.32, 0.19, degrees)))
    parts.append(
        brush.part('centre', circle(0, -0.4, 0.21), brush.pick('yellow', 'brown', 'white'))
    )
    return parts


def person(brush: Brush) -> list[Part]:
    """A head with hair or a hat, a shirt with arms, and trousers or a skirt."""
    skin = SKIN_TONES[brush.rng.integers(len(SKIN_TONES))]
    lower = brush.pick('blue', 'black', 'brown')
    lift = brush.rng.uniform(-0.35, 0.25)
    parts = [
        Part(
            'arms', polygon((-0.25, -0.3), (-0.75, lift), (-0.65, lift + 0.18), (-0.2, -0.05)), skin
        ),
        Part('arms', polygon((0.25, -0.3), (0.75, lift), (0.65, lift + 0.18), (0.2, -0.05)), skin),
    ]
    if brush.chance(0.6):
        parts.append(brush.part('trousers', box(-0.3, 0.2, -0.03, 0.92), lower))
        parts.append(brush.part('trousers', box(0.03, 0.2, 0.3, 0.92), lower))
    else:
        parts.append(Part('legs', box(-0.2, 0.5, -0.06, 0.95), skin))
        parts.append(Part('legs', box(0.06, 0.5, 0.2, 0.95), skin))
        parts.append(
            brush.part(
                'skirt', polygon((-0.25, 0.15), (0.25, 0.15), (0.5, 0.65), (-0.5, 0.65)), lower
            )
        )
    shoe = brush.pick('black', 'brown', 'red')
    parts += [brush.part('shoes', ellipse(x, 0.93, 0.17, 0.09), shoe) for x in (-0.18, 0.18)]
    parts.append(
        brush.part('shirt', polygon((-0.36, -0.38), (0.36, -0.38), (0.3, 0.25), (-0.3, 0.25)))
    )
    hair = brush.pick('black', 'brown', 'yellow', 'orange')
    parts.append(brush.part('hair', circle(0, -0.72, 0.31), hair))
    parts.append(Part('face', ellipse(0, -0.62, 0.24, 0.25), skin))
    parts += [Part('face', circle(x, -0.65, 0.045), _INK) for x in (-0.09, 0.09)]
    if brush.chance(0.35):
        hat = polygon(
            (-0.45, -0.82), (-0.25, -0.86), (-0.2, -1.1), (0.2, -1.1), (0.25, -0.86), (0.45, -0.82)
        )
        parts.append(brush.part('hat', hat, brush.pick('red', 'black')))
    return parts


def cat(brush: Brush) -> list[Part]:
    """A body on legs with a tail, and a head with pointed ears, eyes and sometimes stripes."""
    tail = polygon((0.6, 0.1), (0.85, -0.1), (0.8, -0.65), (0.98, -0.7), (1.05, 0.0), (0.7, 0.35))
    parts = [brush.part('tail', tail)]
    parts += [brush.part('legs', box(x, 0.3, x + 0.17, 0.95)) for x in (-0.45, -0.18, 0.3, 0.55)]
    parts.append(brush.part('body', ellipse(0.1, 0.2, 0.68, 0.34)))
    if brush.chance(0.5):
        stripe = brush.pick('black', 'brown')
        parts += [
            brush.part('stripes', box(x, -0.1, x + 0.1, 0.48), stripe) for x in (0.05, 0.28, 0.5)
        ]
    parts += [
        brush.part('ears', polygon((-0.92, -0.4), (-0.88, -0.98), (-0.55, -0.62))),
        brush.part('ears', polygon((-0.45, -0.62), (-0.12, -0.98), (-0.08, -0.4))),
        brush.part('head', ellipse(-0.5, -0.25, 0.44, 0.4)),
    ]
    eye = brush.pick('green', 'yellow', 'blue')
    parts += [brush.part('eyes', ellipse(x, -0.3, 0.09, 0.11), eye) for x in (-0.66, -0.34)]
    parts.append(
        Part('nose', polygon((-0.57, -0.14), (-0.43, -0.14), (-0.5, -0.05)), (230, 120, 130))
    )
    return parts


def balloon(brush: Brush) -> list[Part]:
    """A round envelope, striped or plain, with a basket hanging from ropes."""
    parts = [
        Part('ropes', polygon((-0.36, 0.2), (-0.28, 0.2), (-0.14, 0.75), (-0.2, 0.75)), _INK),
        Part('ropes', polygon((0.36, 0.2), (0.28, 0.2), (0.14, 0.75), (0.2, 0.75)), _INK),
        brush.part('envelope', ellipse(0, -0.3, 0.72, 0.7)),
    ]
    if brush.chance(0.6):
        stripe = brush.pick('white', 'blue', 'yellow')
        parts.append(brush.part('stripes', ellipse(0, -0.3, 0.4, 0.69), stripe))
        parts.append(brush.part('envelope', ellipse(0, -0.3, 0.16, 0.69)))
    weave = 'brown'
    parts.append(
        brush.part('basket', polygon((-0.26, 0.65), (0.26, 0.65), (0.2, 1), (-0.2, 1)), weave)
    )
    return parts


OBJECTS: dict[str, Callable[[Brush], list[Part]]] = {
    draw.__name__: draw
    for draw in (boat, house, car, tree, fish, bird, flower, person, cat, balloon)
}
"""One drawing function per name in ``TOY_CLASSES``."""

MAIN_COLOURS = {
    'boat': ('brown', 'red', 'blue'),
    'house': ('yellow', 'white', 'pink'),
    'car': ('red', 'blue', 'purple'),
    'tree': ('green', 'orange'),
    'fish': ('orange', 'yellow', 'pink'),
    'bird': ('blue', 'black', 'brown'),
    'flower': ('pink', 'purple', 'white'),
    'person': ('red', 'green', 'yellow', 'blue'),
    'cat': ('grey', 'black', 'orange', 'white'),
    'balloon': ('red', 'purple', 'yellow'),
}
"""What each object's largest parts may be painted; no class owns a colour."""
