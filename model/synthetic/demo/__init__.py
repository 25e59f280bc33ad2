"""The demonstration cards that come with the project: two dozen, so that users need no fonts.

The JPEG files and ``truth.json`` beside this module are what :func:`write_demo` writes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import cv2
import numpy as np

from model.document.bio import spans
from model.document.images import RgbImage
from model.document.types import Box
from model.errors import SyntheticError
from model.synthetic.camera import take
from model.synthetic.fonts import FontSet
from model.synthetic.generator import CardTruth, Plan, plan_card, truth_of
from model.synthetic.lexicon import lexicon
from model.synthetic.paint import paint_card
from model.synthetic.shot import ShotKind

MOST_BYTES = 60_000
TRUTH = "truth.json"
# All under free licences: SIL Open Font, Apache, or public domain. The Debian packages are named in the error below.
FAMILIES = frozenset(
    {"Cantarell", "Carlito", "Comfortaa", "EB Garamond", "Inter", "Jura", "Lato", "Manrope", "Noto Sans", "Noto Serif"}
    | {"Open Sans", "PT Sans", "PT Serif", "Play", "Roboto", "Roboto Slab", "Vollkorn", "Yanone Kaffeesatz", "Cabin"}
)
_PACKAGES = (
    "fonts-lato fonts-noto-core fonts-open-sans fonts-paratype fonts-roboto-unhinted fonts-ebgaramond fonts-play"
)


@dataclass(frozen=True, slots=True)
class _Wish:
    locale: str
    layout: str
    shot: ShotKind = "flat"


_WISHES = (
    _Wish("en_IN", "name_on_top"),
    _Wish("en_US", "left"),
    _Wish("ru_RU", "split_footer"),
    _Wish("en_IN", "logo_and_name", "scan"),
    _Wish("en_GB", "vertical_rule"),
    _Wish("uk_UA", "centred"),
    _Wish("en_US", "side_band", "photo"),
    _Wish("de_DE", "two_columns"),
    _Wish("en_IN", "split_footer_person_right"),
    _Wish("bg_BG", "left"),
    _Wish("fr_FR", "header_band"),
    _Wish("en_IN", "mail_band", "scan"),
    _Wish("en_US", "details_bottom_right"),
    _Wish("ru_RU", "vertical_rule", "photo"),
    _Wish("es_MX", "footer_band"),
    _Wish("en_IN", "clinic"),
    _Wish("en_AU", "name_left_details_right"),
    _Wish("uk_UA", "side_strip", "scan"),
    _Wish("pt_BR", "right"),
    _Wish("en_US", "two_columns", "scan"),
    _Wish("mk_MK", "split_footer"),
    _Wish("pl_PL", "logo_and_name"),
    _Wish("ru_RU", "details_bottom_right"),
    _Wish("en_IN", "two_offices"),
)
_MUST = frozenset({"NAME", "POSITION", "COMPANY", "PHONE", "EMAIL", "ADDRESS"})
_MARRED = frozenset(
    {"scanner_mark", "screen_capture", "handwriting", "template", "split_mail", "photo", "second_script"}
)


def write_demo(folder: Path, fonts: FontSet | None = None, cards: int = len(_WISHES)) -> list[Path]:
    """Write the demonstration cards and their truth, the same each time as long as the fonts are the same.

    Args:
        folder: Where to; made if missing.
        fonts: What they are set in; by default the system's fonts that are among :data:`FAMILIES`.
        cards: How many; all by default.

    Returns:
        The image files, in order.

    Raises:
        SyntheticError: If none of the fonts is there.
    """
    fonts = fonts or demo_fonts()
    folder.mkdir(parents=True, exist_ok=True)
    truth, files = {}, []
    for number, (plan, image) in enumerate(_cards(fonts, cards), 1):
        file = folder / f"card_{number:02}.jpg"
        file.write_bytes(_jpeg(image))
        truth[file.name] = _described(truth_of(plan))
        files.append(file)
    (folder / TRUTH).write_text(json.dumps(truth, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return files


def demo_fonts() -> FontSet:
    """Return the system's fonts that demonstration cards may be set in.

    Raises:
        SyntheticError: If there is none of them.
    """
    found = FontSet.find()
    families = tuple(family for family in found.families if family.name in FAMILIES)
    if not families:
        raise SyntheticError(
            f"none of the fonts for demonstration cards is installed: on Debian `apt-get install {_PACKAGES}`"
        )
    return FontSet(families, found.native)


def _cards(fonts: FontSet, cards: int) -> Iterator[tuple[Plan, RgbImage]]:
    for number, wish in enumerate(_WISHES[:cards]):
        for seed in count(1_000 * number):
            plan = plan_card(seed, fonts=fonts, locales=[wish.locale], layouts=[wish.layout], shot=wish.shot, scale=1.0)
            if _is_handsome(plan):
                rng = np.random.default_rng((seed, 1))
                yield plan, take(paint_card(plan.design, rng), plan.shot, rng)
                break


def _is_handsome(plan: Plan) -> bool:
    """Say whether a card is complete, legible, tidy, and unmarred."""
    lines = plan.design.lines
    fields = {word.token.field for line in lines for word in line.words}
    boxes = [Box.around(word.box for word in line.words) for line in lines if line.style != "mark"]
    apart = all(not a.overlap(b) for i, a in enumerate(boxes) for b in boxes[:i])
    # Nobody's mailbox: addresses at made-up companies only, with names too long to be a real one's by chance.
    hosts = [word.token.text.rpartition("@")[2] for line in lines for word in line.words if word.token.field == "EMAIL"]
    words = lexicon("companies")
    free = {*words["mail_hosts"], *words["mail_hosts_cyrillic"]}
    invented = all(len(host.split(".")[0]) >= 8 and host.lower() not in free for host in hosts)
    body = [line.size for line in lines if line.style in ("body", "title", "small")]
    filled = sum(box.area for box in boxes) / (plan.design.width * plan.design.height)
    return (
        fields >= _MUST
        and not _MARRED & set(plan.content.features)
        and apart
        and invented
        and min(body) >= 21
        and max(body) <= 38
        and filled > 0.1
    )


def _jpeg(image: RgbImage) -> bytes:
    """Return the image as a JPEG file of at most :data:`MOST_BYTES`."""
    for quality in range(92, 20, -6):
        data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
        if len(data) <= MOST_BYTES:
            break
    return data


def _described(card: CardTruth) -> dict[str, object]:
    """Return a card's truth as it is stored: its words with box and tag, and its entities."""
    page = card.page
    words = [
        {
            "text": word.text,
            "box": [round(v, 1) for v in (word.box.x0, word.box.y0, word.box.x1, word.box.y1)],
            "tag": tag,
        }
        for word, tag in zip(page.words, card.tags, strict=True)
    ]
    fields = [
        {"field": field, "text": " ".join(word.text for word in page.words[start:stop])}
        for field, start, stop in spans(card.tags, page.line_spans())
    ]
    return {"locale": card.locale, "width": page.width, "height": page.height, "fields": fields, "words": words}
