import json

from model.document.codec import decode_page, encode_page
from model.document.types import Box, Line, Page, PageNote, Word

BOX = Box(1, 2, 30, 12)
LINES = (
    Line("a", BOX.polygon(), 0.5, (Word("a", BOX, 0.5),), 0.0),
    Line("b", BOX.polygon(), 0.5, (Word("b", BOX, 0.5),), readable=False),
    Line("c", BOX.polygon(), 0.5, (Word("c", BOX, 0.5),), 0.25, readable=False),
    Line("d", BOX.polygon(), 0.5, (Word("d", BOX, 0.5),)),
)


def test_a_page_comes_back_with_its_direction_and_its_notes():
    notes = (PageNote("unknown_script", 2), PageNote("too_small", 24))
    page = Page(100, 50, LINES, 180, notes)
    assert decode_page(encode_page(page)) == page
    assert [str(note.sentence) for note in notes] == [
        "Lines that cannot be read: 2. They are in a script that no model here knows, or hardly to be seen; "
        "they name no field.",
        "The image is too large to be looked at closely: print lower than 24 pixels was not looked for.",
    ]


def test_pages_that_were_kept_before_are_upright_and_readable():
    page = Page(100, 50, LINES[:1])
    document = json.loads(encode_page(page))
    assert set(document) == {"format", "width", "height", "lines"}
    document["lines"][0] = document["lines"][0][:4]
    (line,) = decode_page(json.dumps(document)).lines
    assert (line.margin, line.readable) == (None, True)
