import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.document.types import Box, Line, Page, Word
from model.extraction.segmentation import cut_points, segment, split_word


def pieces(text):
    points = (0, *cut_points(text), len(text))
    return [text[a:b] for a, b in zip(points, points[1:])]


@pytest.mark.parametrize(
    ("glued", "expected"),
    [
        ("Email:ann@example.com", ["Email:", "ann@example.com"]),
        ("M:9800000012", ["M:", "9800000012"]),
        ("Tel+4930000012", ["Tel", "+4930000012"]),
        ("Ph.040-4000000", ["Ph.", "040-4000000"]),
        ("Office(040)234567", ["Office", "(040)234567"]),
        (":+91", [":", "+91"]),
        ("040-48000000,9030000049", ["040-48000000,", "9030000049"]),
        ("info@example.comwww.example.com", ["info@example.com", "www.example.com"]),
        ("E-mailann@example.com", ["E-mail", "ann@example.com"]),
        ("Mail.ann@example.com", ["Mail.", "ann@example.com"]),
        ("Web.www.example.com", ["Web.", "www.example.com"]),
        ("Тел:+7495", ["Тел:", "+7495"]),
        ("+4930000012,+4930000013", ["+4930000012,", "+4930000013"]),
        ("7000040Telefax:", ["7000040", "Telefax:"]),
        ("09800000012ann@example.com", ["09800000012", "ann@example.com"]),
        ("M.-021", ["M.-", "021"]),
        ("833/(495)", ["833/", "(495)"]),
        ("4712/+91", ["4712/", "+91"]),
        ("(117)555.0853,321–555–0134,321–555–0135", ["(117)555.0853,", "321–555–0134,", "321–555–0135"]),
        ("555-0880|297", ["555-0880|", "297"]),
        ("43,Head", ["43,", "Head"]),
        ("9800000012·9800000013", ["9800000012·", "9800000013"]),
        ("E:joe@example.org|www.example.org", ["E:", "joe@example.org|", "www.example.org"]),
    ],
)
def test_a_value_is_cut_from_what_stands_before_it(glued, expected):
    assert pieces(glued) == expected


@pytest.mark.parametrize(
    "whole",
    [
        "10:30",
        "http://www.example.com",
        "www.example.com",
        "ann@example.com",
        "ann1980@example.com",
        "1234567th",
        "+1(555)123-4567",
        "Smith",
        "24/7",
        "P-12",
        "414·555·0097",
        "12,5",
        "2nd,3",
    ],
)
def test_a_word_of_one_kind_stays_whole(whole):
    assert pieces(whole) == [whole]


@given(st.text(min_size=1, max_size=40).filter(lambda t: not any(c.isspace() for c in t)))
def test_pieces_spell_the_word_and_tile_its_box(text):
    word = Word(text, Box(10, 20, 110, 40), 0.9)
    parts = split_word(word)
    assert "".join(part.text for part in parts) == text
    assert all(part.text for part in parts)
    assert parts[0].box.x0 == pytest.approx(10)
    assert parts[-1].box.x1 == pytest.approx(110)
    assert all(a.box.x1 == pytest.approx(b.box.x0) for a, b in zip(parts, parts[1:]))


def test_a_page_keeps_its_lines_and_their_outlines():
    box = Box(0, 0, 100, 10)
    line = Line(
        "Tel:+49300000 x",
        box.polygon(),
        0.8,
        (Word("Tel:+49300000", Box(0, 0, 90, 10), 0.8), Word("x", Box(92, 0, 100, 10), 0.8)),
    )
    page = segment(Page(100, 50, (line,)))
    assert [word.text for word in page.words] == ["Tel:", "+49300000", "x"]
    assert page.lines[0].text == "Tel: +49300000 x"
    assert page.lines[0].polygon == line.polygon
