"""Names, numbers, addresses and phrases: what the parts of a card may and may not look like."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.synthetic import LOCALES
from model.synthetic.brand_lines import draw_descriptor, draw_slogan
from model.synthetic.chance import Chance
from model.synthetic.companies import draw_company, draw_trade
from model.synthetic.jobs import draw_degrees, draw_position
from model.synthetic.labels import draw_label
from model.synthetic.lexicon import expand, lexicon, trades
from model.synthetic.locales import is_cyrillic
from model.synthetic.online import draw_domain, draw_email, draw_website
from model.synthetic.people import draw_person, romanise
from model.synthetic.phones import draw_phone, draw_shorthand
from model.synthetic.places import draw_address

SOME = settings(max_examples=60, deadline=None)
chances = st.integers(0, 2**32).map(lambda seed: Chance(np.random.default_rng(seed)))
locales = st.sampled_from(list(LOCALES))


@SOME
@given(chances, locales, st.sampled_from(["mobile", "office"]))
def test_numbers_are_made_of_digits_and_marks(chance, locale, kind):
    number = draw_phone(chance, locale, kind)
    assert sum(c.isdigit() for c in number) >= 5
    assert not set("#%|") & set(number)
    assert number == number.strip()


@SOME
@given(chances, locales)
def test_shorthand_numbers_hold_more_than_one(chance, locale):
    assert re.search(r"\d( ?[/,&-] ?| to )\d+", draw_shorthand(chance, locale))


@SOME
@given(chances, locales)
def test_addresses_on_the_net_can_be_addresses(chance, locale):
    company = draw_company(chance, locale, draw_trade(chance))
    domain = draw_domain(chance, locale, company.brand, company.initials)
    assert re.fullmatch(r"[a-z0-9-]+(\.[a-z]+)+", domain)
    mail = draw_email(chance, locale, draw_person(chance, locale), domain)
    assert re.fullmatch(r"[\w.+-]+@[\w-]+(\.[\w-]+)+", mail, re.ASCII)
    site = draw_website(chance, domain)
    assert "." in site
    assert " " not in site


@SOME
@given(chances, locales)
def test_people_have_names_in_their_own_letters(chance, locale):
    person = draw_person(chance, locale)
    assert all(line.strip() == line and line for line in person.printed)
    assert person.given.isascii()
    assert person.given.isalpha()
    letters = [c for c in "".join(person.printed) if c.isalpha()]
    if is_cyrillic(locale):
        assert all("\u0400" <= c <= "\u04ff" for c in letters)
    else:
        assert not any("\u0400" <= c <= "\u04ff" for c in letters)


@given(st.text(max_size=30))
def test_romanised_text_is_plain(text):
    assert romanise(text).isascii()


@pytest.mark.parametrize(
    ("native", "latin"), [("Щука", "Shchuka"), ("Łódź", "Lodz"), ("Київ", "Kiyiv"), ("Müller", "Muller")]
)
def test_romanising_follows_the_letters(native, latin):
    assert romanise(native) == latin


@SOME
@given(chances, locales, st.sampled_from(trades()))
def test_phrases_are_filled_in_completely(chance, locale, trade):
    texts = [
        draw_company(chance, locale, trade).name,
        draw_position(chance, locale, trade),
        draw_degrees(chance, locale, trade),
        draw_slogan(chance, locale, trade),
        draw_descriptor(chance, trade),
        draw_label(chance, locale, "mobile"),
        *draw_address(chance, locale),
    ]
    for text in texts:
        assert text.strip()
        assert not re.search(
            r"[{}#%~]|\bNone\b", text.replace("# ", "").replace("#", "", 1) if "#" in text else text
        ), text


@pytest.mark.parametrize("section", ["slogan", "descriptor"])
def test_every_pattern_has_words_for_its_slots(section):
    chance = Chance(np.random.default_rng(0))
    words = dict(lexicon("phrases_en")) | {"noun": ("Motors",), "service": ("Repairs",)}
    for pattern in words[section]:
        assert "{" not in expand(chance, pattern, words)


@pytest.mark.parametrize("name", ["words_ru", "words_uk", "words_bg", "words_mk"])
def test_cyrillic_word_lists_are_cyrillic_and_alike(name):
    words = lexicon(name)
    assert words.keys() == lexicon("words_ru").keys()
    for section in ("positions", "departments", "trades", "names", "slogans", "services"):
        assert len(words[section]) >= 5
        for entry in words[section]:
            # Latin look-alikes among Cyrillic letters would teach the wrong thing.
            for word in re.findall(r"\w+", entry):
                assert word.isascii() or not re.search(r"[A-Za-z]", word), word


def test_the_same_draws_come_from_the_same_seed():
    def drawn():
        chance = Chance(np.random.default_rng(11))
        return [draw_company(chance, "en_IN", "retail").name for _ in range(5)]

    assert drawn() == drawn()
