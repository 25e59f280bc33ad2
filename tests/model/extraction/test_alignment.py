import pytest

from model.document.types import Box, Line, Page, Word
from model.extraction.alignment import align, segment_truth


def page(*lines):
    """Lines of ``(text, x0, x1)`` words, each line 10 pixels high, one below the other."""
    built = []
    for row, words in enumerate(lines):
        y = 20 * row
        typed = tuple(Word(text, Box(x0, y, x1, y + 10), 1.0) for text, x0, x1 in words)
        outline = Box.around(word.box for word in typed).polygon()
        built.append(Line(" ".join(word.text for word in typed), outline, 1.0, typed))
    return Page(200, 100, tuple(built))


def test_words_read_as_printed_keep_their_tags():
    truth = page([("Ann", 0, 30), ("Lee", 35, 60)], [("Tel", 0, 20), ("123", 30, 60)])
    tags = ("B-NAME", "I-NAME", "O", "B-PHONE")
    assert align(truth, truth, tags) == tags


def test_a_glued_word_takes_the_field_that_covers_most_of_it():
    truth = page([("Email:", 0, 25), ("ann@example.com", 26, 100)])
    read = page([("Email:ann@example.com", 0, 100)])
    assert align(read, truth, ("O", "B-EMAIL")) == ("B-EMAIL",)


def test_a_split_word_goes_on_with_the_entity():
    truth = page([("ann@example.com", 0, 100)])
    read = page([("ann@example", 0, 70), (".com", 72, 100)])
    assert align(read, truth, ("B-EMAIL",)) == ("B-EMAIL", "I-EMAIL")


def test_two_entities_of_one_field_side_by_side_stay_two():
    truth = page([("123", 0, 30), ("456", 40, 70)])
    assert align(truth, truth, ("B-PHONE", "B-PHONE")) == ("B-PHONE", "B-PHONE")


def test_an_entity_that_the_engine_broke_into_two_lines_begins_twice():
    truth = page([("Ann", 0, 30), ("Lee", 35, 60)])
    read = Page(200, 100, (*page([("Ann", 0, 30)]).lines, *page([("Lee", 35, 60)]).lines))
    assert align(read, truth, ("B-NAME", "I-NAME")) == ("B-NAME", "B-NAME")


def test_what_stands_where_nothing_is_printed_is_outside():
    truth = page([("Ann", 0, 30)])
    read = page([("Ann", 0, 30), ("noise", 120, 180)])
    assert align(read, truth, ("B-NAME",)) == ("B-NAME", "O")


def test_tags_that_do_not_fit_the_truth_are_refused():
    with pytest.raises(ValueError, match="2 tags for 1"):
        align(page([("Ann", 0, 30)]), page([("Ann", 0, 30)]), ("O", "O"))


def test_a_label_printed_without_a_space_is_cut_off_its_value():
    truth = page([("Tel:+49300001", 0, 70), ("23", 75, 90)])
    cut, tags = segment_truth(truth, ("B-PHONE", "I-PHONE"))
    assert [word.text for word in cut.words] == ["Tel:", "+49300001", "23"]
    assert tags == ("O", "B-PHONE", "I-PHONE")


def test_a_value_shorter_than_its_label_is_given_back_to_the_entity():
    truth = page([("Mobile:+49", 0, 60), ("300001", 65, 90)])
    cut, tags = segment_truth(truth, ("O", "B-PHONE"))
    assert [word.text for word in cut.words] == ["Mobile:", "+49", "300001"]
    assert tags == ("O", "B-PHONE", "I-PHONE")


def test_two_numbers_side_by_side_stay_two_entities_when_words_are_cut():
    truth = page([("Tel:+49300001", 0, 60), ("+49300002", 65, 90)])
    assert segment_truth(truth, ("B-PHONE", "B-PHONE"))[1] == ("O", "B-PHONE", "B-PHONE")
