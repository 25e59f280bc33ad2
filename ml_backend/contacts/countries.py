"""Which country a card is from, by what stands on it: its numbers, its addresses, its names in the net.

Evidence of one kind that says two things says nothing: a number of the wrong country is worse than one of none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

import phonenumbers
from babel import Locale
from babel.core import get_global

#: Endings of countries that everybody may have, and many do for how they sound.
_SOLD_TO_ALL = re.compile("a[cgims]|bz|c[cdo]|dj|fm|g[gl]|i[os]|l[ay]|m[esu]|nu|pw|s[chotu]|t[ov]|vc|ws")
#: Languages in which countries are looked for, and shorter names than the ones that are usual in lists.
_LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "pl", "cs", "tr", "ru", "uk", "bg", "sr")
_SHORT = {"usa": "US", "u.s.a": "US", "uk": "GB", "u.k": "GB", "england": "GB", "scotland": "GB", "wales": "GB"}
_SHORT |= {"uae": "AE", "u.a.e": "AE", "россия": "RU", "беларусь": "BY"}
#: Names of countries that are those of other places, or of people, as often.
_AMBIGUOUS = frozenset({"georgia", "jordan", "chad", "guinea", "china town"})
#: Mail of one country whose ending is everybody's.
_MAIL = {"rediffmail.com": "IN"}
#: Mail that people of all countries have, in spite of its ending.
_EVERYBODYS_MAIL = re.compile(r"(yahoo|hotmail|live|outlook|msn|ymail)\.[a-z.]+")
# Without DE, which stands before German postal codes.
_STATES = (
    "AL|AK|AZ|AR|CA|CO|CT|DC|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|OK|"
    "OR|PA|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY"
)
_STATE_NAMES = (
    "Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Florida|Hawaii|Idaho|Illinois|Indiana|Iowa|Kansas|"
    "Kentucky|Louisiana|Maine|Maryland|Massachusetts|Michigan|Minnesota|Mississippi|Missouri|Montana|Nebraska|Nevada|"
    "New Hampshire|New Jersey|New Mexico|New York|North Carolina|North Dakota|Ohio|Oklahoma|Oregon|Pennsylvania|"
    "Rhode Island|South Carolina|South Dakota|Tennessee|Texas|Utah|Vermont|Virginia|Washington|Wisconsin|Wyoming"
)
#: Five digits as recognisers read them.
_ZIP = r"[\dOl]{5}(?:-[\dOl]{4})?\b"
_INDIAN_STATES = (
    "Andhra Pradesh|Arunachal Pradesh|Assam|Bihar|Chhattisgarh|Goa|Gujarat|Haryana|Himachal Pradesh|Jharkhand|"
    "Karnataka|Kerala|Madhya Pradesh|Maharashtra|Manipur|Meghalaya|Mizoram|Nagaland|Odisha|Orissa|Rajasthan|Sikkim|"
    "Tamil ?Nadu|Telangana|Tripura|Uttar Pradesh|Uttarakhand|West Bengal"
)
#: How addresses are written in one country and hardly in another.
_FORMS = {
    "US": (
        re.compile(rf"\b(?:{_STATES})[.,]?\s+(?:-\s*\w+\s+)?{_ZIP}"),
        re.compile(rf"\b(?:{_STATE_NAMES})[.,]?\s+{_ZIP}", re.IGNORECASE),
        re.compile(rf",\s*(?:{_STATES})\.?\s*$"),
    ),
    "CA": (re.compile(r"\b[ABCEGHJ-NPRSTVXY]\d[ABCEGHJ-NPRSTV-Z] ?\d[ABCEGHJ-NPRSTV-Z]\d\b"),),
    "GB": (re.compile(r"\b[A-Z]{1,2}\d[A-Z\d]? \d[ABD-HJLNP-UW-Z]{2}\b"),),
    "IN": (
        # The code of the post office stands behind the city and a dash, in two halves or as one.
        re.compile(r"[^\W\d_]\.?\)?\s*[-–:]\s*[1-8]\d{2} ?\d{3}\b(?!\s*-?\d)"),
        re.compile(rf"\b(?:{_INDIAN_STATES})\b", re.IGNORECASE),
    ),
    "DE": (re.compile(r"\bD\s?-\s?\d{5}\b"),),
    "AT": (re.compile(r"\bA\s?-\s?\d{4}\b(?!\d)"),),
    "CH": (re.compile(r"\bCH\s?-\s?\d{4}\b"),),
    "FR": (re.compile(r"\bF\s?-\s?\d{5}\b"), re.compile(r"\bCEDEX\b")),
}
#: Cities of time zones that are common words, or of many places.
_UNCLEAR = frozenset({"center", "central", "easter", "eastern", "mountain", "pacific", "troll", "casey", "vostok"})
_UNCLEAR |= {"victoria", "santiago", "troy", "jersey", "vincennes", "knox", "winamac", "marengo", "monticello"}
_UNCLEAR |= {"boise", "nome", "macau", "guadeloupe", "martinique", "réunion", "reunion"}


def country_of_net(hosts: Iterable[str]) -> str | None:
    """Return the country whose ending the hosts have, such as DE for ``.de``; ``None`` for none, or several."""
    found = set()
    for host in hosts:
        ending = host.rpartition(".")[2].casefold()
        if host in _MAIL:
            found.add(_MAIL[host])
        if host in _MAIL or _EVERYBODYS_MAIL.fullmatch(host):
            continue
        country = {"uk": "GB", "рф": "RU", "бел": "BY", "укр": "UA"}.get(ending, ending.upper())
        if not _SOLD_TO_ALL.fullmatch(ending) and country in phonenumbers.SUPPORTED_REGIONS:
            found.add(country)
    return found.pop() if len(found) == 1 else None


def country_of_addresses(texts: Iterable[str]) -> str | None:
    """Return the country that addresses name, or show by the way they are written, or by a city; ``None`` for none.

    What is surer decides: a country's name, then its states and postal codes, then a large city. Several countries of
    one kind say nothing.
    """
    addresses = list(texts)
    for kind in (_named, _formed, _of_cities):
        found = {country for text in addresses for country in kind(text)}
        if found:
            return found.pop() if len(found) == 1 else None
    return None


def _named(text: str) -> set[str]:
    return {_names()[name] for name in _pattern().findall(text.casefold())}


def _formed(text: str) -> set[str]:
    return {country for country, forms in _FORMS.items() if any(form.search(text) for form in forms)}


def _of_cities(text: str) -> set[str]:
    return {_cities()[name] for name in _city_pattern().findall(text.casefold())}


@cache
def _cities() -> dict[str, str]:
    """Return large cities to their countries: those that time zones are named after, in three languages."""
    countries = get_global("zone_territories")
    found: dict[str, set[str]] = {}
    for zone, country in countries.items():
        names = {zone.rpartition("/")[2].replace("_", " ")}
        names |= {Locale(language).time_zones.get(zone, {}).get("city", "") for language in ("en", "de", "ru")}
        for name in names:
            found.setdefault(name.casefold(), set()).add(country)
    return {
        name: countries.pop()
        for name, countries in found.items()
        if len(countries) == 1
        and len(name) >= 4
        and name not in _UNCLEAR
        and countries <= phonenumbers.SUPPORTED_REGIONS
    }


@cache
def _city_pattern() -> re.Pattern[str]:
    return _any_of(_cities())


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
    return _any_of(_names())


def _any_of(names: Iterable[str]) -> re.Pattern[str]:
    # The longest first: "south africa" is not "africa".
    ordered = sorted(names, key=len, reverse=True)
    return re.compile(rf"(?<!\w)({'|'.join(map(re.escape, ordered))})(?!\w)")
