"""Which country a card is from, by what stands on it: its numbers, its addresses, its names in the net.

Evidence of one kind that says two things says nothing: a number of the wrong country is worse than one of none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

import phonenumbers
from babel import Locale

#: Endings of countries that everybody may have, and many do for how they sound.
_SOLD_TO_ALL = re.compile("a[cgims]|bz|c[cdo]|dj|fm|g[gl]|i[os]|l[ay]|m[esu]|nu|pw|s[chotu]|t[ov]|vc|ws")
#: Languages in which countries are looked for, and shorter names than the ones that are usual in lists.
_LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "pl", "cs", "tr", "ru", "uk", "bg", "sr")
_SHORT = {"usa": "US", "u.s.a": "US", "uk": "GB", "u.k": "GB", "england": "GB", "scotland": "GB", "wales": "GB"}
_SHORT |= {"uae": "AE", "u.a.e": "AE", "россия": "RU", "беларусь": "BY"}
#: Names of countries that are those of other places, or of people, as often.
_AMBIGUOUS = frozenset({"georgia", "jordan", "chad", "guinea", "china town"})
# Without DE, which stands before German postal codes.
_STATES = (
    "AL|AK|AZ|AR|CA|CO|CT|DC|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|OK|"
    "OR|PA|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY"
)
_AMERICAN = re.compile(rf"\b(?:{_STATES})[.,]?\s+\d{{5}}(?:-\d{{4}})?\b")


def country_of_net(hosts: Iterable[str]) -> str | None:
    """Return the country whose ending the hosts have, such as DE for ``.de``; ``None`` for none, or several."""
    found = set()
    for host in hosts:
        ending = host.rpartition(".")[2].casefold()
        country = {"uk": "GB", "рф": "RU", "бел": "BY", "укр": "UA"}.get(ending, ending.upper())
        if not _SOLD_TO_ALL.fullmatch(ending) and country in phonenumbers.SUPPORTED_REGIONS:
            found.add(country)
    return found.pop() if len(found) == 1 else None


def country_of_addresses(texts: Iterable[str]) -> str | None:
    """Return the country that addresses name, or show by the way they are written; ``None`` for none, or several."""
    found = set()
    for text in texts:
        found |= {_names()[name] for name in _pattern().findall(text.casefold())}
        if _AMERICAN.search(text):
            found.add("US")
    return found.pop() if len(found) == 1 else None


@cache
def _names() -> dict[str, str]:
    names = dict(_SHORT)
    for language in _LANGUAGES:
        for country, name in Locale(language).territories.items():
            plain = name.casefold()
            if country in phonenumbers.SUPPORTED_REGIONS and len(plain) >= 4 and plain not in _AMBIGUOUS:
                names.setdefault(plain, country)
    return names


@cache
def _pattern() -> re.Pattern[str]:
    # The longest first: «south africa» is not «africa».
    names = sorted(_names(), key=len, reverse=True)
    return re.compile(rf"(?<!\w)({'|'.join(map(re.escape, names))})(?!\w)")
