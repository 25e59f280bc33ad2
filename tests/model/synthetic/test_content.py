import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.synthetic.content import Content, Span, TextLine, outside


def tokens(*spans):
    return [(t.text, t.field) for t in TextLine(tuple(Span(*span) for span in spans)).tokens()]


def test_labels_and_values_are_words_of_their_own_where_a_space_parts_them():
    assert tokens(("Tel: ",), ("040 23", "PHONE")) == [("Tel:", ""), ("040", "PHONE"), ("23", "PHONE")]


def test_a_label_that_sticks_to_its_value_goes_with_the_longer_part():
    assert tokens(("M:",), ("9848022334", "PHONE")) == [("M:9848022334", "PHONE")]
    assert tokens(("Telephone:",), ("112", "PHONE")) == [("Telephone:112", "")]


def test_two_values_of_one_field_are_two_parts():
    line = TextLine((Span("111,", "PHONE"), Span(" "), Span("222", "PHONE")))
    assert [token.part for token in line.tokens()] == [0, 2]


def test_wide_gaps_are_kept():
    assert [token.gap for token in outside("a    b c").tokens()] == [1, 4, 1]


@given(st.lists(st.tuples(st.text("ab .:", max_size=6), st.sampled_from(["", "NAME", "PHONE"])), max_size=6))
def test_tokens_are_the_words_of_the_line(spans):
    line = TextLine(tuple(Span(*span) for span in spans))
    assert [token.text for token in line.tokens()] == line.text.split()
    for token in line.tokens():
        assert line.spans[token.part].field == token.field


def test_blank_lines_make_no_block():
    content = Content("en_US")
    content.put("brand", [outside("  "), outside("")])
    assert content.blocks == {}


@pytest.mark.parametrize("style", ["body", "small"])
def test_an_outside_line_has_no_field(style):
    line = outside("Since 1987", style)
    assert (line.style, [span.field for span in line.spans]) == (style, [""])
