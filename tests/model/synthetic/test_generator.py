from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.document.bio import FIELDS, spans
from model.errors import SyntheticError
from model.synthetic import LAYOUTS, LOCALES, FontSet, layout_card, make_card

SOME = settings(max_examples=40, deadline=None)
seeds = st.integers(0, 2**32 - 1)


def cyrillic_share(text: str) -> float:
    letters = [c for c in text if c.isalpha()]
    return sum("\u0400" <= c <= "\u04ff" for c in letters) / max(1, len(letters))


def test_the_same_seed_gives_the_same_card(fonts):
    one, other = make_card(7, fonts=fonts), make_card(7, fonts=fonts)
    assert one.page == other.page
    assert one.tags == other.tags
    assert np.array_equal(one.image, other.image)


def test_other_seeds_give_other_cards(fonts):
    texts = {tuple(word.text for word in layout_card(seed, fonts=fonts).page.words) for seed in range(40)}
    assert len(texts) == 40


@pytest.mark.parametrize("seed", range(8))
def test_the_quick_way_tells_what_the_image_shows(fonts, seed):
    card, truth = make_card(seed, fonts=fonts), layout_card(seed, fonts=fonts)
    assert card.page == truth.page
    assert card.tags == truth.tags
    assert (card.locale, card.layout, card.features) == (truth.locale, truth.layout, truth.features)
    assert card.image.shape == (truth.page.height, truth.page.width, 3)


@SOME
@given(seed=seeds)
def test_every_word_has_a_tag_and_every_field_begins_anew_on_each_line(fonts, seed):
    card = layout_card(seed, fonts=fonts)
    assert len(card.tags) == len(card.page.words) > 0
    assert {tag[2:] for tag in card.tags if tag != "O"} <= set(FIELDS)
    for start, stop in card.page.line_spans():
        before = "O"
        for tag in card.tags[start:stop]:
            assert not tag.startswith("I-") or before[2:] == tag[2:]
            before = tag


@SOME
@given(seed=seeds)
def test_boxes_lie_inside_the_image(fonts, seed):
    page = layout_card(seed, fonts=fonts).page
    for word in page.words:
        assert word.box.x0 >= 0
        assert word.box.y0 >= 0
        assert word.box.x1 <= page.width
        assert word.box.y1 <= page.height
        assert word.text
        assert not any(c.isspace() for c in word.text)


@SOME
@given(seed=seeds)
def test_lines_are_their_words(fonts, seed):
    for line in layout_card(seed, fonts=fonts).page.lines:
        assert line.text == " ".join(word.text for word in line.words)
        assert line.box.x0 <= min(word.box.x0 for word in line.words) + 1


@pytest.mark.parametrize("locale", LOCALES)
def test_every_locale_makes_cards(fonts, locale):
    cards = [layout_card(seed, fonts=fonts, locales=[locale]) for seed in range(6)]
    assert {card.locale for card in cards} == {locale}
    named = {tag[2:] for card in cards for tag in card.tags if tag != "O"}
    assert {"COMPANY", "PHONE", "EMAIL", "ADDRESS"} <= named


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_makes_images(fonts, layout):
    card = make_card(3, fonts=fonts, layouts=[layout], locales=["en_IN"])
    assert card.layout == layout
    assert card.image.std() > 3


def test_portrait_layouts_stand_upright(fonts):
    card = make_card(3, fonts=fonts, layouts=["portrait_centred"], shot="flat")
    assert card.image.shape[0] > card.image.shape[1]


@pytest.mark.parametrize("locale", ["ru_RU", "uk_UA", "bg_BG", "mk_MK"])
def test_cyrillic_cards_are_printed_in_cyrillic(fonts, locale):
    for seed in range(12):
        card = layout_card(seed, fonts=fonts, locales=[locale])
        for field, start, stop in spans(card.tags, card.page.line_spans()):
            if field == "POSITION":
                text = " ".join(word.text for word in card.page.words[start:stop])
                assert cyrillic_share(text) > 0.5 or not any(c.isalpha() for c in text)
        assert any(cyrillic_share(word.text) > 0.9 for word in card.page.words)


def test_about_a_quarter_of_cards_is_cyrillic(fonts):
    locales = [layout_card(seed, fonts=fonts).locale[:2] for seed in range(300)]
    share = sum(locale in {"ru", "uk", "bg", "mk"} for locale in locales) / len(locales)
    assert 0.17 < share < 0.33


@pytest.mark.parametrize("shot", ["flat", "scan", "photo"])
@pytest.mark.parametrize("seed", range(4))
def test_there_is_ink_in_the_box_of_every_word(fonts, shot, seed):
    card = make_card(seed, fonts=fonts, shot=shot, locales=["en_US", "ru_RU"])
    blank = []
    for word in card.page.words:
        box = word.box
        inside = card.image[int(box.y0) : int(np.ceil(box.y1)), int(box.x0) : int(np.ceil(box.x1))].astype(int)
        if inside.size and np.ptp(inside.sum(axis=2)) < 60:
            blank.append(word.text)
    # Scanner specks, glare and tiny type may swallow a dot, not a word.
    assert len([text for text in blank if len(text) > 1]) <= 0.03 * len(card.page.words)


def test_unknown_names_are_refused_with_what_there_is(fonts):
    with pytest.raises(SyntheticError, match=r"no such locale.*tlh_QO.*en_IN"):
        layout_card(0, fonts=fonts, locales=["tlh_QO"])
    with pytest.raises(SyntheticError, match=r"no such layout.*spiral"):
        layout_card(0, fonts=fonts, layouts=["spiral"])
    with pytest.raises(SyntheticError, match=r"no such feature.*hologram"):
        layout_card(0, fonts=fonts, features=["hologram"])
    with pytest.raises(SyntheticError, match="none given"):
        layout_card(0, fonts=fonts, layouts=[])


def test_a_font_set_without_cyrillic_says_what_to_install(fonts):
    ascii_only = bytes(cover if number < 16 else 0 for number, cover in enumerate(fonts.families[0].faces[0].coverage))
    families = tuple(
        replace(family, faces=tuple(replace(face, coverage=ascii_only) for face in family.faces))
        for family in fonts.families[:2]
    )
    with pytest.raises(SyntheticError, match="apt-get install"):
        layout_card(0, fonts=FontSet(families), locales=["ru_RU"])
