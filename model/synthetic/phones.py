"""Phone numbers as cards print them."""

from __future__ import annotations

from functools import cache
from typing import Literal

import phonenumbers

from model.synthetic.chance import Chance
from model.synthetic.lexicon import lexicon
from model.synthetic.locales import country

Kind = Literal["mobile", "office"]
_SAME_PLAN = {"CA": "US", "PH": "US"}
_OTHERWISE = "US mobile"


@cache
def _plan_patterns(region: str, kind: Kind) -> tuple[str, ...]:
    """Return patterns of the region's numbers: our own where we have them, else from the numbering plan's example."""
    known = lexicon("phones").get(f"{_SAME_PLAN.get(region, region)} {kind}")
    if known:
        return known
    types = phonenumbers.PhoneNumberType
    example = phonenumbers.example_number_for_type(region, types.MOBILE if kind == "mobile" else types.FIXED_LINE)
    if example is None:
        return lexicon("phones")[_OTHERWISE]
    forms = phonenumbers.PhoneNumberFormat
    found = []
    for form in (forms.INTERNATIONAL, forms.NATIONAL, forms.INTERNATIONAL, forms.NATIONAL):
        shown = phonenumbers.format_number(example, form)
        # The last six digits vary; what stands before says which operator or town it is.
        keep = len([c for c in shown if c.isdigit()]) - 6
        pattern, seen = "", 0
        for c in shown:
            seen += c.isdigit()
            pattern += "#" if c.isdigit() and seen > keep else c
        found += [pattern, pattern.replace("-", " "), pattern.replace(" ", ".", 3), pattern.replace("-", ".")]
        if form == forms.INTERNATIONAL:
            code, _, rest = pattern.partition(" ")
            found += [f"{code} (0){rest}", f"({code}) {rest}", f"{code}-{rest}", pattern.replace(" ", "")]
    return tuple(dict.fromkeys(found))


def draw_phone(chance: Chance, locale: str, kind: Kind = "mobile") -> str:
    """Draw a number, without its label, in one of the ways that the locale writes it."""
    return chance.digits(chance.pick(_plan_patterns(country(locale), kind)))


def draw_shorthand(chance: Chance, locale: str) -> str:
    """Draw several office numbers written as one, such as ``040-23308585/86``."""
    base = chance.digits(chance.pick(_plan_patterns(country(locale), "office")))
    base = base if base[-2:].isdigit() else f"{base[:-2]}{chance.digits('##')}"
    return base + chance.digits(chance.pick(lexicon("phones")["tails"]))
