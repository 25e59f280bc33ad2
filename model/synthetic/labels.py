"""Words that say what a number or an address is: «Tel:», «Mob.», «E-mail», «Факс»."""

from __future__ import annotations

from typing import Literal

from model.synthetic.chance import Chance
from model.synthetic.lexicon import lexicon
from model.synthetic.locales import is_cyrillic, tongue

LabelKind = Literal["mobile", "office", "home", "fax", "email", "web", "address"]

_SEPARATORS = (": ", ": ", ": ", " : ", " : ", ":", " ", ". ", ": ", " - ", ":- ", ": ", " :", "  ", "")
_USUAL = 8


def draw_label(chance: Chance, locale: str, kind: LabelKind) -> str:
    """Draw a label word for a kind of line, without its separator."""
    language = tongue(locale)
    plain = {"mobile": "phone", "office": "phone", "home": "phone"}.get(kind, kind)
    if is_cyrillic(locale):
        own = lexicon(f"words_{language}")[f"labels_{plain}"]
        return chance.pick(own).rstrip(":").strip() if chance.odds(0.93) else chance.pick(lexicon("labels")[kind])
    if language != "en":
        words = lexicon("words_world")
        foreign = words.get(f"labels_{plain}_{language}") or words.get(f"labels_{plain}_other")
        if foreign and chance.odds(0.7):
            return chance.pick(foreign).rstrip(":").strip()
    options = lexicon("labels")[kind]
    return chance.pick(options[:_USUAL]) if chance.odds(0.6) else chance.pick(options)


def draw_separator(chance: Chance) -> str:
    """Draw what stands between label and value; a card uses one throughout."""
    return chance.pick(_SEPARATORS)
