"""Makes cards from seeds: with an image, or, much quicker, without."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from model.document.images import RgbImage
from model.document.layout import in_reading_order
from model.document.types import Box, Line, Page, Word
from model.errors import SyntheticError
from model.synthetic.camera import take
from model.synthetic.chance import Chance
from model.synthetic.compose import compose
from model.synthetic.content import Content
from model.synthetic.design import Design, SetLine
from model.synthetic.fonts import FontSet
from model.synthetic.layouts import LAYOUTS, draw_layout
from model.synthetic.locales import LOCALES
from model.synthetic.paint import paint_card
from model.synthetic.shot import Shot, ShotKind, draw_shot
from model.synthetic.typeset import set_card

CARD_WIDTH = 1050


@dataclass(frozen=True, slots=True)
class CardTruth:
    """What is printed on a card, and where.

    Attributes:
        page: Every printed word with its box in pixels of the image, score 1, lines in reading order.
        tags: One BIO tag a word of ``page.words``: ``O``, ``B-NAME``, ``I-NAME`` …; on every line a field begins again.
        locale: Whose names and manners it follows.
        layout: Name of the layout.
        features: Names of the hard cases it was drawn with.
    """

    page: Page
    tags: tuple[str, ...]
    locale: str
    layout: str
    features: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """A rendered card: an image and what is printed on it, the attributes of :class:`CardTruth`.

    Attributes:
        image: RGB, shape (height, width, 3), of the page's size.
        page: As in :class:`CardTruth`.
        tags: As in :class:`CardTruth`.
        locale: As in :class:`CardTruth`.
        layout: As in :class:`CardTruth`.
        features: As in :class:`CardTruth`.
    """

    image: RgbImage
    page: Page
    tags: tuple[str, ...]
    locale: str
    layout: str
    features: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is decided before anything is drawn."""

    content: Content
    layout: str
    design: Design
    shot: Shot


def plan_card(
    seed: int,
    *,
    fonts: FontSet,
    locales: Sequence[str] | None = None,
    layouts: Sequence[str] | None = None,
    features: Collection[str] = (),
    shot: ShotKind | None = None,
    scale: float | None = None,
) -> Plan:
    """Decide all of a card. The arguments are those of :func:`layout_card`.

    Args:
        seed: See there, as for the others.
        fonts: See there.
        locales: See there.
        layouts: See there.
        features: See there.
        shot: See there.
        scale: Pixels of the page for one of the card, which is 1,050 pixels long; by chance if not given.
    """
    chance = Chance(np.random.default_rng(seed), features)
    locale = chance.weigh(_among(LOCALES, locales, "locale"))
    name = chance.weigh(_among({name: layout.weight for name, layout in LAYOUTS.items()}, layouts, "layout"))
    content = compose(chance, locale)
    if chance.feature("photo") and layouts is None:
        name = chance.pick(("photo", "portrait_photo", "photo"))
    layout = draw_layout(chance, name)
    width, height = CARD_WIDTH, round(CARD_WIDTH / chance.real(1.56, 1.86))
    if layout.portrait:
        width, height = height, width
    design = set_card(chance, content, layout, fonts, width, height)
    content.features = chance.shown
    return Plan(content, name, design, draw_shot(chance, width, height, shot, scale))


def _among(weights: Mapping[str, float], names: Sequence[str] | None, kind: str) -> Mapping[str, float]:
    """Return the weights of ``names``, or all of them."""
    if names is None:
        return weights
    unknown = [name for name in names if name not in weights]
    if unknown or not names:
        raise SyntheticError(
            f"no such {kind} of a card: {', '.join(unknown) or 'none given'}; there are {', '.join(weights)}"
        )
    return {name: weights[name] for name in names}


def layout_card(
    seed: int,
    *,
    fonts: FontSet,
    locales: Sequence[str] | None = None,
    layouts: Sequence[str] | None = None,
    features: Collection[str] = (),
    shot: ShotKind | None = None,
) -> CardTruth:
    """Make a card without its image: what :func:`make_card` gives for the same arguments, many times as fast.

    Args:
        seed: Decides everything; 0 or more.
        fonts: What cards are set in; another set gives other cards.
        locales: Choose among these; all of :data:`~model.synthetic.locales.LOCALES` by default.
        layouts: Choose among these; all of :data:`~model.synthetic.layouts.LAYOUTS` by default.
        features: Keys of :data:`~model.synthetic.chance.FEATURES` that the card must have where they apply.
        shot: How it is taken; by chance if not given.

    Raises:
        SyntheticError: If a name is unknown or no font covers the text.
    """
    return truth_of(plan_card(seed, fonts=fonts, locales=locales, layouts=layouts, features=features, shot=shot))


def make_card(
    seed: int,
    *,
    fonts: FontSet,
    locales: Sequence[str] | None = None,
    layouts: Sequence[str] | None = None,
    features: Collection[str] = (),
    shot: ShotKind | None = None,
) -> Card:
    """Make a card with its image. Arguments and errors are those of :func:`layout_card`, and so is the truth."""
    plan = plan_card(seed, fonts=fonts, locales=locales, layouts=layouts, features=features, shot=shot)
    # Drawing has a stream of its own, so that what is drawn cannot change what is said.
    rng = np.random.default_rng((seed, 1))
    image = take(paint_card(plan.design, rng), plan.shot, rng)
    truth = truth_of(plan)
    return Card(image, truth.page, truth.tags, truth.locale, truth.layout, truth.features)


def truth_of(plan: Plan) -> CardTruth:
    """Return what is printed on a planned card."""
    placed = [(_project(line, plan.shot), _tags(line)) for line in plan.design.lines]
    lines = in_reading_order(line for line, _ in placed)
    tags_of = {id(line): tags for line, tags in placed}
    page = Page(plan.shot.width, plan.shot.height, lines)
    tags = tuple(tag for line in lines for tag in tags_of[id(line)])
    return CardTruth(page, tags, plan.content.locale, plan.layout, plan.content.features)


def _project(line: SetLine, shot: Shot) -> Line:
    words = []
    for word in line.words:
        corners = shot.project(word.box.polygon())
        words.append(Word(word.token.text, _inside(Box.of_polygon(corners), shot), 1.0))
    outline = shot.project(Box.around(word.box for word in line.words).polygon())
    polygon = tuple((min(max(x, 0.0), shot.width), min(max(y, 0.0), shot.height)) for x, y in outline)
    return Line(" ".join(word.text for word in words), polygon, 1.0, tuple(words))


def _inside(box: Box, shot: Shot) -> Box:
    """Cut a box at the page's edges; a sliver stays of what lies outside."""
    x0, y0 = min(max(box.x0, 0.0), shot.width - 1.0), min(max(box.y0, 0.0), shot.height - 1.0)
    return Box(x0, y0, max(min(box.x1, float(shot.width)), x0 + 0.5), max(min(box.y1, float(shot.height)), y0 + 0.5))


def _tags(line: SetLine) -> list[str]:
    tags, previous = [], -1
    for word in line.words:
        field, part = word.token.field, word.token.part
        tags.append("O" if not field else f"{'I' if part == previous else 'B'}-{field}")
        previous = part if field else -1
    return tags
