import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.document.bio import spans
from model.document.types import Box, Line, Page, Word
from model.synthetic import ReadingNoise, layout_card, simulate_reading

SOME = settings(max_examples=30, deadline=None)
NONE = ReadingNoise.none()


def page_of(*lines: list[str], height: float = 20.0, gap: float = 6.0) -> Page:
    """A page whose words have boxes of ten pixels a character."""
    made = []
    for number, texts in enumerate(lines):
        x, words = 10.0, []
        for text in texts:
            words.append(Word(text, Box(x, 40.0 * number, x + 10 * len(text), 40.0 * number + height), 1.0))
            x += 10 * len(text) + gap
        made.append(Line(" ".join(texts), Box.around(w.box for w in words).polygon(), 1.0, tuple(words)))
    return Page(2000, 1000, tuple(made))


def texts(page: Page) -> list[str]:
    return [line.text for line in page.lines]


@SOME
@given(seed=st.integers(0, 10_000))
def test_without_noise_nothing_is_lost(fonts, seed):
    card = layout_card(seed, fonts=fonts)
    page, tags = simulate_reading(card.page, card.tags, np.random.default_rng(seed), NONE)
    assert page.words == card.page.words
    assert tags == card.tags
    assert texts(page) == texts(card.page)


@SOME
@given(seed=st.integers(0, 10_000), factor=st.floats(0, 20))
def test_every_word_keeps_one_valid_tag_whatever_happens(fonts, seed, factor):
    card = layout_card(seed, fonts=fonts)
    noise = ReadingNoise().scaled(factor)
    page, tags = simulate_reading(card.page, card.tags, np.random.default_rng(seed), noise)
    assert len(tags) == len(page.words)
    for line, (start, _) in zip(page.lines, page.line_spans(), strict=True):
        assert line.text == " ".join(word.text for word in line.words)
        assert tags[start][0] in "OB"
    for word in page.words:
        assert word.text
        assert 0 <= word.box.x0 < word.box.x1 <= page.width
        assert 0 <= word.box.y0 < word.box.y1 <= page.height
    assert {tag[2:] for tag in tags} <= {tag[2:] for tag in card.tags} | {""}


def test_the_same_stream_reads_the_same(fonts):
    card = layout_card(5, fonts=fonts)
    one, other = (simulate_reading(card.page, card.tags, np.random.default_rng(3)) for _ in range(2))
    assert one == other


def test_a_glued_word_belongs_to_the_field_with_most_of_its_characters():
    page = page_of(["Email:", "ann@example.com"], ["Telephone", "112"])
    glue = ReadingNoise(**{**vars_of(NONE), "glue_line": 1.0})
    read, tags = simulate_reading(page, ["O", "B-EMAIL", "O", "B-PHONE"], np.random.default_rng(0), glue)
    assert texts(read) == ["Email:ann@example.com", "Telephone112"]
    assert tags == ("B-EMAIL", "O")


def vars_of(noise: ReadingNoise) -> dict[str, float]:
    return {name: getattr(noise, name) for name in ReadingNoise.__dataclass_fields__}


def only(**rates: float) -> ReadingNoise:
    return ReadingNoise(**{**vars_of(NONE), **rates})


def test_a_label_may_stick_to_its_value():
    page = page_of(["Mob:", "+91", "98480"])
    read, tags = simulate_reading(page, ["O", "B-PHONE", "I-PHONE"], np.random.default_rng(0), only(glue_label=1.0))
    assert texts(read) == ["Mob:+91 98480"]
    assert tags == ("O", "B-PHONE")  # four characters of label, three of number


def test_an_address_may_fall_apart_at_its_marks():
    page = page_of(["ann@example.com"])
    seen = {
        tuple(
            w.text
            for w in simulate_reading(page, ["B-EMAIL"], np.random.default_rng(s), only(split_symbol=1.0))[0].words
        )
        for s in range(30)
    }
    assert ("ann", "@example.com") in seen
    assert ("ann@example", ".com") in seen
    for pieces in seen:
        assert "".join(pieces) == "ann@example.com"
        assert len(pieces) == 2


def test_the_pieces_of_a_split_word_stay_one_entity_and_tile_its_box():
    page = page_of(["Engineering"])
    read, tags = simulate_reading(page, ["B-COMPANY"], np.random.default_rng(0), only(split=1.0))
    assert tags == ("B-COMPANY", "I-COMPANY")
    left, right = (word.box for word in read.words)
    assert (left.x0, left.x1, right.x1) == (page.words[0].box.x0, right.x0, page.words[0].box.x1)


def test_an_entity_whose_first_word_was_lost_begins_at_its_second():
    page = page_of(["Ann", "Marie", "Lee"])
    tags = ["B-NAME", "I-NAME", "I-NAME"]
    lost = [simulate_reading(page, tags, np.random.default_rng(s), only(drop_word=0.4)) for s in range(40)]
    beheaded = [(read, found) for read, found in lost if read.words[0].text == "Marie"]
    assert beheaded
    assert all(found[0] == "B-NAME" for _, found in beheaded)


def test_a_line_that_falls_in_two_starts_its_entity_again():
    page = page_of(["Kaveri", "Systems"], gap=60)
    read, tags = simulate_reading(page, ["B-COMPANY", "I-COMPANY"], np.random.default_rng(0), only(break_gap=1.0))
    assert texts(read) == ["Kaveri", "Systems"]
    assert tags == ("B-COMPANY", "B-COMPANY")


def test_lines_side_by_side_may_be_read_as_one():
    left = Line(
        "Ann Lee",
        Box(0, 0, 100, 20).polygon(),
        1.0,
        (Word("Ann", Box(0, 0, 40, 20), 1.0), Word("Lee", Box(50, 0, 100, 20), 1.0)),
    )
    right = Line("112", Box(118, 0, 160, 20).polygon(), 1.0, (Word("112", Box(118, 0, 160, 20), 1.0),))
    page = Page(200, 50, (left, right))
    read, tags = simulate_reading(page, ["B-NAME", "I-NAME", "B-PHONE"], np.random.default_rng(0), only(merge=1.0))
    assert texts(read) == ["Ann Lee 112"]
    assert spans(tags, read.line_spans()) == [("NAME", 0, 2), ("PHONE", 2, 3)]


def test_lines_far_apart_are_never_merged():
    page = page_of(["one"], ["two"])
    read, _ = simulate_reading(page, ["O", "O"], np.random.default_rng(0), only(merge=1.0))
    assert texts(read) == ["one", "two"]


def test_lines_may_be_lost_but_never_all():
    page = page_of(["one"], ["two"], ["three"])
    read, tags = simulate_reading(page, ["O", "O", "O"], np.random.default_rng(0), only(drop_line=1.0))
    assert texts(read) == ["one"]
    assert tags == ("O",)


def test_characters_are_taken_for_ones_that_look_like_them():
    page = page_of(["B0l1OS5"] * 6)
    read, _ = simulate_reading(page, ["O"] * 6, np.random.default_rng(0), only(misread=0.5))
    changed = [w.text for w in read.words if w.text != "B0l1OS5"]
    assert len(changed) >= 4


def test_a_script_that_the_recogniser_lacks_comes_out_as_latin_nonsense():
    page = page_of(["प्रौद्योगिकी", "Trust"])
    read, _ = simulate_reading(page, ["O", "B-COMPANY"], np.random.default_rng(0), only(misread=1e-9))
    assert read.words[-1].text == "Trust"
    assert all(ord(c) < 0x600 for word in read.words for c in word.text)


def test_a_recogniser_without_cyrillic_loses_most_of_it_and_keeps_the_rest():
    page = page_of(["МОСКВА,", "220030"] * 20)
    read, tags = simulate_reading(
        page, ["B-ADDRESS", "I-ADDRESS"] * 20, np.random.default_rng(0), only(lose_cyrillic=1.0)
    )
    seen = [word.text for word in read.words]
    assert not any("\u0400" <= letter <= "\u04ff" for text in seen for letter in text)
    assert seen.count("220030") == 20
    assert seen.count(",") > 10
    assert set(tags) == {"B-ADDRESS", "I-ADDRESS"}


def test_an_icon_may_be_read_as_a_short_word_outside_of_all_fields():
    page = page_of(["ann@example.com"])
    read, tags = simulate_reading(page, ["B-EMAIL"], np.random.default_rng(0), only(stray=1.0))
    assert [w.text for w in read.words][1:] == ["ann@example.com"]
    assert tags == ("O", "B-EMAIL")


def test_rates_beyond_all_words_are_refused():
    with pytest.raises(ValueError, match="glue must lie between 0 and 1"):
        ReadingNoise(glue=1.5)


def test_tags_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="1 tags for 2 words"):
        simulate_reading(page_of(["a", "b"]), ["O"], np.random.default_rng(0))
