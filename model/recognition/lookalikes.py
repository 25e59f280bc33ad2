"""Which characters look like which: where a new character's training starts."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

# A character, and after it one that shares its shape, or most of it.
_PAIRS = (
    "АA ВB ЕE КK МM НH ОO РP СC ТT УY ХX аa еe оo рp сc уy хx ІI іi ЈJ јj ЅS ѕs һh Һh Үy үy "
    "Г\u0393 П\u03a0 Л\u039b Д\u0394 Ф\u03a6 ф\u03c6 гr пn лn дg зz ЗZ бb ЬB ьb ЫB ыb ЪB ъb "
    "ИN иu ЙN йu ЦU цu ЭЗ эз ЯR яR Ч4 ч4 ШW шw ЩW щw ЮO юo ЖX жx кk мm нh тt вb ЄC єc "
    "Қҡ ҚК қк ҢН ңн ҒГ ғг ӨО өо ҰY ұy ӘЭ әэ ЉЛ љл ЊН њн ЂЋ ђh ЋH ћh ЏU џu ҐГ ґг ЎУ ўу ЁЕ ёе ЇІ їі "
    '№N ₽P ₴S ₹R ®R ©C ’\' ‘\' “" ”" „" "< "> –- —- •. ·.'
)
_NEAR: dict[str, list[str]] = {}
for _pair in _PAIRS.split():
    _NEAR.setdefault(_pair[0], []).append(_pair[1])


def lookalikes(character: str) -> Iterator[str]:
    """Yield characters that look like ``character``, the likest first; none where nothing does."""
    bare = unicodedata.normalize("NFD", character)[0]
    for candidate in (character, bare):
        if candidate != character:
            yield candidate
        for alike in _NEAR.get(candidate, ()):
            yield alike
            yield from _NEAR.get(alike, ())
    turned = character.swapcase()
    if len(turned) == 1 and turned != character:
        yield turned
