from dataclasses import replace

import pytest

from model.document.types import Box, Document, Entity, Line, Page, Word, turned_box
from model.document.values import field_values


def document(*entities):
    page = Page(1000, 600, ())
    return Document(page, tuple(entities), 0.5, "engine", "version")


def entity(field, text, x, y, height=40, width=300, score=0.8):
    return Entity(field, text, Box(x, y, x + width, y + height), score, 0, 1)


def values(*entities):
    return [(value.field, value.text) for value in field_values(document(*entities))]


def test_a_company_on_two_lines_is_one_value():
    found = field_values(
        document(entity("COMPANY", "Indian Resources &", 100, 50), entity("COMPANY", "Technologies Ltd.", 100, 95))
    )
    assert [(v.field, v.text) for v in found] == [("COMPANY", "Indian Resources & Technologies Ltd.")]
    assert len(found[0].boxes) == 2


def test_lines_that_are_centred_or_flush_right_go_together_too():
    centred = entity("POSITION", "Senior Adviser", 100, 50, width=400), entity("POSITION", "Roads", 250, 95, width=100)
    assert values(*centred) == [("POSITION", "Senior Adviser Roads")]


def test_what_stands_elsewhere_or_is_larger_is_a_value_of_its_own():
    far = entity("COMPANY", "Ash", 100, 50), entity("COMPANY", "Birch", 100, 300)
    beside = entity("COMPANY", "Ash", 100, 50), entity("COMPANY", "Birch", 600, 95)
    larger = entity("COMPANY", "Ash", 100, 50), entity("COMPANY", "Birch", 100, 95, height=90)
    for pair in (far, beside, larger):
        assert values(*pair) == [("COMPANY", "Ash"), ("COMPANY", "Birch")]


def test_numbers_and_names_below_each_other_are_two_values():
    assert len(values(entity("PHONE", "5550 1234", 100, 50), entity("PHONE", "5550 9876", 100, 95))) == 2
    assert len(values(entity("NAME", "Ada Lovelace", 100, 50), entity("NAME", "Alan Turing", 100, 95))) == 2


def test_a_logo_that_repeats_the_company_is_no_second_value():
    assert values(
        entity("COMPANY", "ORBIT", 700, 20, height=90), entity("COMPANY", "Orbit Labs Ltd.", 100, 300)
    ) == [("COMPANY", "Orbit Labs Ltd.")]  # fmt: skip


def test_of_equal_values_the_first_stays_and_other_fields_do_not_count():
    assert values(
        entity("COMPANY", "Orbit", 100, 20),
        entity("NAME", "Orbit", 100, 200),
        entity("COMPANY", "ORBIT", 100, 400),
    ) == [("COMPANY", "Orbit"), ("NAME", "Orbit")]


def test_a_national_number_after_an_international_one_is_a_value_of_its_own():
    assert numbers("+919265293567,", "9447653229") == ["+919265293567,", "9447653229"]


def test_an_extension_stays_with_its_number():
    assert numbers("(234)627-2600,", "Ext.60") == ["(234)627-2600, Ext.60"]


@pytest.mark.parametrize(
    "extension", ["доб. 12", "вн. 12", "DW 15", "Durchwahl 15", "int. 12", "poste 12", "#12", "ext 12"]
)
def test_an_extension_of_its_own_region_stays_with_the_number_before(extension):
    words = (Word("+7 495 123-45-67", Box(0, 10, 290, 40), 1.0), Word(extension, Box(300, 10, 390, 40), 1.0))
    page = Page(1000, 600, (Line("", Box(0, 10, 900, 40).polygon(), 1.0, words),))
    entities = tuple(Entity("PHONE", word.text, word.box, 0.9, i, i + 1) for i, word in enumerate(words))
    (value,) = field_values(Document(page, entities, 0.5, "engine", "version"))
    assert value.text == f"+7 495 123-45-67 {extension}"


def region(*texts):
    """Words of one line that are one region."""
    words = tuple(Word(text, Box(100 * i, 10, 100 * i + 90, 40), 1.0) for i, text in enumerate(texts))
    page = Page(1000, 600, (Line(" ".join(texts), Box(0, 10, 900, 40).polygon(), 1.0, words),))
    one = Entity("PHONE", " ".join(texts), Box.around(word.box for word in words), 0.9, 0, len(words))
    return field_values(Document(page, (one,), 0.5, "engine", "version"))


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["+7", "(812)", "288-60-34", "|", "+7", "495", "848", "05", "08"], ["+7 (812) 288-60-34", "+7 495 848 05 08"]),
        (["+7", "812", "2886034", "+7", "495", "8480508"], ["+7 812 2886034", "+7 495 8480508"]),
        (["(812)", "558-24-59,", "доб.", "833/", "(495)", "173-62-02"],
         ["(812) 558-24-59, доб. 833", "(495) 173-62-02"]),
        (["94450", "37712,", "70940", "30557"], ["94450 37712", "70940 30557"]),
        (["5550123,", "5550124,", "5550125"], ["5550123", "5550124", "5550125"]),
        (["+91", "40", "2600", "1234,", "2600", "1270"], ["+91 40 2600 1234, 2600 1270"]),
        (["040-2311", "1286/", "2104"], ["040-2311 1286/ 2104"]),
        (["+49", "30", "/", "901820"], ["+49 30 / 901820"]),
    ],
)  # fmt: skip
def test_whole_numbers_in_one_region_are_values_of_their_own(texts, values):
    assert [value.text for value in region(*texts)] == values


def test_the_numbers_of_one_region_have_boxes_of_their_own():
    first, second = region("(030)", "901820,", "(030)", "901821")
    assert first.boxes == (Box(0, 10, 190, 40),)
    assert second.boxes == (Box(200, 10, 390, 40),)


def test_fields_go_by_the_names_that_are_asked_for_and_others_are_left_out():
    card = document(
        entity("PHONE", "5550 1234", 100, 50),
        entity("FAX", "5550 9876", 100, 95),
        entity("FAX", "5550-1234", 100, 140),
        entity("NAME", "Ada Lovelace", 100, 200),
    )
    found = field_values(card, {"PHONE": "TEL", "FAX": "TEL"})
    # One number for telephone and fax is one value.
    assert [(value.field, value.text) for value in found] == [("TEL", "5550 1234"), ("TEL", "5550 9876")]


def test_a_page_without_entities_has_no_values():
    assert values() == []


def numbers(*texts):
    """A line of words, of which those with digits are phone numbers."""
    words = tuple(Word(text, Box(100 * i, 10, 100 * i + 90, 40), 1.0) for i, text in enumerate(texts))
    page = Page(1000, 600, (Line(" ".join(texts), Box(0, 10, 900, 40).polygon(), 1.0, words),))
    dialled = [i for i, text in enumerate(texts) if any(map(str.isdigit, text))]
    entities = tuple(Entity("PHONE", words[i].text, words[i].box, 0.9, i, i + 1) for i in dialled)
    return [value.text for value in field_values(Document(page, entities, 0.5, "engine", "version"))]


def test_a_number_without_its_area_code_stays_with_the_one_that_has_it():
    assert numbers("+914026001234,", "/", "26001270,", "26001271") == ["+914026001234, 26001270, 26001271"]


def test_whole_numbers_are_values_of_their_own():
    assert numbers("9440015689", "9440015690") == ["9440015689", "9440015690"]
    assert numbers("+914026001234", "Fax:", "26001270") == ["+914026001234", "26001270"]


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_lines_go_together_on_a_page_however_it_lies(degrees):
    """Two lines of a company and an address beside it, upside down or on its side."""
    upright = document(
        entity("COMPANY", "Indian Resources &", 100, 50),
        entity("COMPANY", "Technologies Ltd.", 100, 95),
        entity("ADDRESS", "1 Rose Lane", 600, 50),
        entity("ADDRESS", "Leeds", 600, 95),
    )
    page = upright.page
    turned = replace(
        upright,
        page=page.turned(degrees),
        entities=tuple(
            replace(each, box=turned_box(each.box, degrees, page.width, page.height)) for each in upright.entities
        ),
    )
    found = field_values(turned)
    assert [(v.field, v.text) for v in found] == [
        ("COMPANY", "Indian Resources & Technologies Ltd."),
        ("ADDRESS", "1 Rose Lane Leeds"),
    ]
    assert [v.boxes for v in found] == [
        tuple(turned_box(box, degrees, page.width, page.height) for box in v.boxes) for v in field_values(upright)
    ]
