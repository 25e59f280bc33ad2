"""English and Russian: which of them a visitor reads, and how sentences, numbers and times are said in it.

The catalogues are gettext's text files, read when the panel starts: nothing has to be compiled.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path

from babel import Locale
from babel.dates import format_datetime, format_timedelta
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent
from babel.support import NullTranslations, Translations
from flask import Request

from active_learning.reasons import Language
from ml_backend.i18n import Words

#: Languages by code, as they call themselves. English is what the sentences are written in.
LANGUAGES: Mapping[str, str] = {"en": "English", "ru": "Русский"}
LANGUAGE_COOKIE = "panel-language"

_FOLDER = Path(__file__).parent / "translations"


class Translator:
    """Says things in one language.

    Args:
        code: One of :data:`LANGUAGES`.
    """

    def __init__(self, code: str) -> None:
        self.code = code
        self._locale = Locale.parse(code)
        self._catalogue = _catalogue(code)

    @property
    def reasons(self) -> Language:
        """The language, as active learning's reasons know it."""
        return "ru" if self.code == "ru" else "en"

    def __call__(self, what: str | Words, **values: object) -> str:
        """Say a sentence; values that are sentences themselves are said in the same language."""
        words = what if isinstance(what, Words) else Words(str(what), values)
        said = str(self._catalogue.gettext(words.template)) if words.template else ""
        if words.values:
            said = said.format(**{name: self._value(value) for name, value in words.values.items()})
        # A sentence that begins with another one's words.
        return said[:1].upper() + said[1:] if words.template.startswith("{") else said

    def _value(self, value: object) -> object:
        if isinstance(value, Words):
            return self(value)
        return _Decimal(value) if isinstance(value, float) and self.code == "ru" else value

    def count(self, one: str, many: str, n: float, **values: object) -> str:
        """Say a sentence about ``n`` things, which stands as ``{n}`` in it."""
        template = str(self._catalogue.ngettext(one, many, int(n)))
        return template.format(n=self.number(n, 0), **values)

    def number(self, value: float | None, digits: int = 0) -> str:
        """Write a number; ``None`` as a dash."""
        if value is None:
            return "–"
        return str(format_decimal(round(value, digits), format=f"#,##0.{'0' * digits}", locale=self._locale))

    def percent(self, value: float | None, digits: int = 0) -> str:
        """Write a share in ``[0, 1]`` as per cent."""
        if value is None:
            return "–"
        return str(format_percent(value, format=f"#,##0.{'0' * digits}%", locale=self._locale))

    def moment(self, value: datetime | None) -> str:
        """Write date and time, in UTC."""
        if value is None:
            return "–"
        return str(format_datetime(value.astimezone(timezone.utc), "d MMM y, HH:mm", locale=self._locale)) + " UTC"

    def ago(self, value: datetime | None) -> str:
        """Say how long ago something was."""
        if value is None:
            return "–"
        gone = value - datetime.now(timezone.utc)
        return str(format_timedelta(min(gone, timedelta(0)), add_direction=True, locale=self._locale))

    def span(self, seconds: float | None) -> str:
        """Say how long something takes."""
        if seconds is None:
            return "–"
        return str(format_timedelta(timedelta(seconds=max(1.0, seconds)), threshold=1.2, locale=self._locale))


class _Decimal(float):
    """A number whose decimals stand behind a comma, however a sentence wants it written."""

    def __format__(self, how: str) -> str:
        return super().__format__(how).replace(".", ",")


@functools.cache
def translator(code: str) -> Translator:
    """Return who speaks a language; English for one that nobody here speaks."""
    return Translator(code if code in LANGUAGES else "en")


def translator_of(request: Request) -> Translator:
    """Return who speaks the visitor's language: as chosen, else as the browser asks."""
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    return translator(chosen if chosen in LANGUAGES else request.accept_languages.best_match(list(LANGUAGES)) or "en")


def _catalogue(code: str) -> NullTranslations:
    path = _FOLDER / f"{code}.po"
    if not path.exists():
        return NullTranslations()
    with path.open("rb") as file:
        catalogue = read_po(file, locale=code)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)
