"""Which characters a recogniser is to know: groups of scripts, and whatever people wrote into corrections."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from model.errors import RecogniserError

_DIGITS = "0123456789"
_BASIC = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~’‘“”„«»‹›–—…•·°§©®™†¡¿¶"
_SIGNS = "€£¥¢₹№₽₴±×÷½¼¾¹²³ºªµ☎☏✆✉★●■►▪→✓"
_ACCENTED = (
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿ"
    "ĀāĂăĄąĆćĊċČčĎďĐđĒēĖėĘęĚěĞğĠġĢģĦħĪīĮįİıĶķĹĺĻļĽľŁłŃńŅņŇňŌōŐőŒœŔŕŘřŚśŞşŠšŢţŤťŪūŮůŰűŲųŴŵŶŷŸŹźŻżŽžȘșȚț"
)
_RUSSIAN = "АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯабвгдеёжзийклмнопрстуфхцчшщъыьэюя"
_SLAVIC = "ЄєІіЇїҐґЎўЂђЃѓЅѕЈјЉљЊњЋћЌќЏџЀѐЍѝ"

COMMON = _DIGITS + _PUNCTUATION + _SIGNS
"""What stands on documents of any language."""

ORIGINAL = "original"
"""The group of every character that the backbone's own alphabet holds, Chinese and Japanese among them."""

GROUPS: Mapping[str, str] = {
    "latin": _BASIC + _ACCENTED,
    "cyrillic": _BASIC + _RUSSIAN + _SLAVIC,
    "kazakh": _BASIC + _RUSSIAN + "ӘәҒғҚқҢңӨөҰұҮүҺһІі",
    "greek": _BASIC + "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩαβγδεζηθικλμνξοπρστυφχψωςάέήίόύώϊϋΐΰΆΈΉΊΌΎΏΪΫ",
}
"""Languages by the letters they are written with. Basic Latin letters are in all: addresses of the web need them."""

DEFAULT_LANGUAGES = ("latin", "cyrillic")


def charset_of(languages: Sequence[str], *, original: Sequence[str] = (), texts: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the characters that a recogniser needs.

    Args:
        languages: Names of :data:`GROUPS`, or :data:`ORIGINAL`.
        original: The alphabet of the backbone's own head, for the group :data:`ORIGINAL`.
        texts: Corrections; each character in them is added, however rare.

    Returns:
        Characters in order of their code points, each one code point or a cluster as NFC leaves it, the space last.

    Raises:
        RecogniserError: If a name is unknown.
    """
    unknown = [name for name in languages if name not in GROUPS and name != ORIGINAL]
    if unknown:
        raise RecogniserError(
            f"There are no languages «{', '.join(unknown)}»; choose among {', '.join((*GROUPS, ORIGINAL))} "
            "(RECOGNISER_LANGUAGES)."
        )
    found = set(COMMON)
    for name in languages:
        found.update(original if name == ORIGINAL else GROUPS[name])
    for text in texts:
        found.update(readable(text))
    return (*sorted(c for c in found if not c.isspace()), " ")


def readable(text: str) -> str:
    """Return a text as a recogniser is taught it: NFC, white space of any kind one plain space, nothing invisible."""
    visible = "".join(
        " " if c.isspace() else c for c in text if unicodedata.category(c) not in ("Cf", "Cc", "Cs") or c.isspace()
    )
    return unicodedata.normalize("NFC", " ".join(visible.split()))
