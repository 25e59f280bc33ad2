"""A person's name, split as address books want it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from nameparser import HumanName

# What Russian and its neighbours derive from the father's name never ends a name, except where the family comes first.
_PATRONYMIC = re.compile(r".+(ович|евич|ьич|овна|евна|ична|инична|оглы|кызы|ovich|evich|ovna|evna)", re.IGNORECASE)
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2,4}")


@dataclass(frozen=True, slots=True)
class PersonName:
    """A name in parts; any may be empty.

    Attributes:
        full: As it is written.
        prefix: Such as ``Dr.``.
        given: First name.
        additional: Names between.
        family: Last name.
        suffix: Such as ``Jr.`` or ``PhD``.
    """

    full: str
    prefix: str = ""
    given: str = ""
    additional: str = ""
    family: str = ""
    suffix: str = ""


def split_name(text: str) -> PersonName:
    """Split a name; what is written in capitals alone becomes ordinary writing in the parts."""
    full = " ".join(text.split())
    compact = full.replace(" ", "")
    if _CJK.fullmatch(compact):
        # Family first, and nearly always of one character.
        family, given = full.split(" ", 1) if " " in full else (compact[:1], compact[1:])
        return PersonName(full, given=given, family=family)
    parsed = HumanName(full)
    if full.isupper():
        parsed.capitalize(force=True)
    prefix, given, additional, family, suffix = (
        str(getattr(parsed, part)) for part in ("title", "first", "middle", "last", "suffix")
    )
    if _PATRONYMIC.fullmatch(family) and given and additional and " " not in additional:
        # «Иванов Иван Иванович»
        given, additional, family = additional, family, given
    return PersonName(full, prefix, given, additional, family, suffix)
