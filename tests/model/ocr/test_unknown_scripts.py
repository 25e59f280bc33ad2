"""Lines in scripts that the recogniser does not know are marked, and ordinary ones are not."""

import cv2
import numpy as np
import pytest

from model.document.types import Box, Line, Page, PageNote, Word
from model.ocr.unknown_scripts import marked, oddity, unread_lines
from tests.model.ocr.printing import Print, card


def line(text, score, width=300.0, height=30.0):
    box = Box(0, 0, width, height)
    return Line(text, box.polygon(), score, tuple(Word(word, box, score) for word in text.split()))


def unreadable(*lines, unread=0):
    page = marked(Page(400, 300, lines), unread)
    assert sum(not each.readable for each in page.lines) + unread == sum(note.amount for note in page.notes)
    return [each.text for each in page.lines if not each.readable]


# As the shipped recogniser reads rendered lines: Greek, Hindi, Hebrew, Georgian, Thai, Telugu, Japanese, Tamil.
SOUP = [
    ("Дlєu0uvтňç Пшлňєı", 0.71),
    ("hЧAЛ FНs ФHR AAÉь", 0.48),
    ("пнðğ 7Ъ ñл", 0.52),
    ("39д3љбодд", 0.65),
    ("иÎo1s ¿йa ğłmz éý", 0.47),
    ("8Ъ9У y89m Ъ9 GS5%", 0.51),
    ("ţ€ 8* â6 ШEФ", 0.48),
    ("ПF6TМT ПFGTМД ЦДЈД6ДД", 0.62),
]
# As it reads print: clean, small, blurred, in capitals, numbers, with accents.
PRINT = [
    ("Johanna A. Smith-Jones", 0.99),
    ("+7 (495) 123-45-67", 0.93),
    ("Istemational Dieretor", 0.8),
    ("Aduress Strvices", 0.78),
    ("xxxx×x×xxx×x7467", 0.76),
    ("КMО.00", 0.67),
    ("Консалтинг Иванов", 0.81),
    ("Größe Żółw Příjmení Şirket", 0.9),
    ("infoghocample.org Seth", 0.77),
    ("Київ, вул. Хрещатик, буд. 7", 0.84),
    ("有限公司经理电话", 0.81),
    ("∆ιευθυντης Οδός", 0.75),
]


@pytest.mark.parametrize(("text", "score"), SOUP)
def test_letters_in_disorder_are_marked(text, score):
    assert unreadable(line(text, score)) == [text]


@pytest.mark.parametrize(("text", "score"), PRINT)
def test_print_is_not_marked(text, score):
    assert unreadable(line(text, score)) == []


def test_next_to_nothing_on_a_long_strip_is_marked():
    assert unreadable(line(". g", 0.76, width=400)) == [". g"]
    assert unreadable(line("12", 0.97, width=400)) == []


def test_short_lines_alone_are_too_little():
    assert unreadable(line("cS", 0.5, width=45)) == []


def test_in_the_company_of_such_lines_less_is_enough():
    """Half of a card in another script: what would pass for poor print elsewhere does not here."""
    soup, doubtful = [line(*each) for each in SOUP[:3]], line("htnшunи Ъplwâ", 0.85)
    latin = [line("Acme Trading Ltd", 0.97), line("+971 4 123 4567", 0.96), line("www.example.com", 0.98)]
    assert unreadable(doubtful, *latin) == []
    assert unreadable(*soup, doubtful, *latin) == [*(each.text for each in soup), doubtful.text]
    # Two scribbles on a long receipt are no company.
    assert unreadable(*soup[:2], doubtful, *latin * 8) == [each.text for each in soup[:2]]


def test_lines_of_which_nothing_was_read_are_counted_and_stay_counted():
    page = marked(Page(400, 300, (line("Acme", 0.98),)), 3)
    assert page.notes == (PageNote("unknown_script", 3),)
    assert unread_lines(page) == 3
    assert marked(page, unread_lines(page)) == page
    assert marked(Page(400, 300, ())) == Page(400, 300, ())


def test_a_line_that_a_new_recogniser_reads_is_marked_no_more():
    page = marked(Page(400, 300, (line(*SOUP[1]),)))
    again = Page(400, 300, (line("राम कुमार", 0.95),), notes=page.notes)
    assert [note.kind for note in marked(again, 0).notes] == []


@pytest.mark.parametrize("text", ["Acme Ltd.", "info@example.org", "12.50", "ООО Ромашка", "有限公司", "Αθήνα", ""])
def test_usual_texts_are_not_odd(text):
    assert oddity(text) == 0


def strokes(rng, glyph_count=14):
    """Return a line of glyphs that no script has: strokes hung on a bar, as Devanagari does, with marks about."""
    image = np.full((64, 40 + 34 * glyph_count, 3), 255, np.uint8)
    cv2.line(image, (16, 18), (24 + 34 * glyph_count, 18), (20, 20, 20), 4)
    for number in range(glyph_count):
        x = 22 + 34 * number
        cv2.line(image, (x + 22, 18), (x + 22, 50), (20, 20, 20), 4)
        cv2.ellipse(
            image, (x + 10, int(rng.integers(28, 40))), (int(rng.integers(5, 11)), int(rng.integers(4, 10))),
            int(rng.integers(0, 180)), 0, int(rng.integers(180, 330)), (20, 20, 20), 4,
        )  # fmt: skip
        if rng.random() < 0.4:
            cv2.ellipse(image, (x + 14, 9), (9, 6), 0, 180, 350, (20, 20, 20), 3)
        if rng.random() < 0.3:
            cv2.circle(image, (x + 14, 57), 3, (20, 20, 20), -1)
    return image


def test_glyphs_that_no_recogniser_knows_are_marked_and_the_print_beside_them_is_not(engine):
    printed = card()
    image = printed.image.copy()
    rng = np.random.default_rng(5)
    for top in (190, 236):
        glyphs = strokes(rng)
        image[top : top + 40, 500:980] = cv2.resize(glyphs, (480, 40), interpolation=cv2.INTER_AREA)
    page = engine.read(image)
    marks = {each.text: each.readable for each in page.lines}
    assert all(marks[text] for text in ("Johanna A. Smith-Jones", "Phone: (030) 555-0123", "j.smith@example.com"))
    (note,) = page.notes
    assert note.kind == "unknown_script"
    assert 1 <= note.amount <= 3


def test_a_clean_card_has_no_notes(engine):
    page = engine.read(card().image)
    assert page.notes == ()
    assert all(each.readable for each in page.lines)
    assert engine.read(Print().line(60, 60, "12345", size=50).image).notes == ()
