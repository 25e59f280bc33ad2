import string
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from ml_backend.admin import language
from ml_backend.admin.language import translator
from ml_backend.i18n import listed, say
from tests.ml_backend.admin.messages import messages

CATALOGUE = Path(language.__file__).parent / "translations" / "ru.po"


@pytest.fixture(scope="module")
def russian():
    with CATALOGUE.open("rb") as file:
        return {entry.id: entry for entry in read_po(file, locale="ru") if entry.id}


def names(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_everything_that_can_be_said_can_be_said_in_russian(russian):
    said = set(messages())
    assert not said - russian.keys(), "not in Russian yet"
    assert not russian.keys() - said, "said no more"
    assert all(all(entry.string) if isinstance(entry.string, tuple) else entry.string for entry in russian.values())


def test_translations_name_the_same_values(russian):
    for key, entry in russian.items():
        for said in entry.string if isinstance(entry.string, tuple) else (entry.string,):
            assert names(said) == names(key if isinstance(key, str) else key[1]), key


def test_russian_counts_as_russian_does():
    said = [translator("ru").count("{n} correction", "{n} corrections", n) for n in (1, 2, 5, 11, 21, 1234)]
    assert said == ["1 исправление", "2 исправления", "5 исправлений", "11 исправлений", "21 исправление",
                    "1\N{NO-BREAK SPACE}234 исправления"]  # fmt: skip


def test_numbers_and_times_are_written_as_each_language_does():
    long_ago = datetime.now(timezone.utc) - timedelta(hours=3)
    assert translator("en").number(1234.5, 1) == "1,234.5"
    assert translator("ru").number(0.25, 2) == "0,25"
    assert (translator("en").ago(long_ago), translator("ru").ago(long_ago)) == ("3 hours ago", "3 часа назад")
    assert translator("en").span(42) == "42 seconds"
    assert translator("en").moment(datetime(2026, 5, 6, 7, 8, tzinfo=timezone.utc)) == "6 May 2026, 07:08 UTC"
    assert translator("en").number(None) == translator("ru").percent(None) == "–"


def test_a_value_with_braces_is_no_template():
    assert translator("ru")(say("{error}", error="{no} such {thing")) == "{no} such {thing"


def test_a_sentence_within_a_sentence_is_said_in_the_same_language():
    assert translator("ru")(say('Not looked at: first fix "{link}".', link=say("Webhook"))) == (
        "Не осмотрено: сначала почините «Вебхук»."
    )


def test_a_language_that_nobody_speaks_is_answered_in_english():
    assert translator("xx").code == "en"


def test_reasons_of_the_gate_are_said_with_their_numbers():
    better = say("entity F1 {after:.3f} after {before:.3f}", after=0.8125, before=0.7)
    assert translator("ru")(listed([better, say("by hand")])) == "F1 полей 0,812 вместо 0,700; вручную"
    assert translator("en")(listed([better, say("by hand")])) == "Entity F1 0.812 after 0.700; by hand"
