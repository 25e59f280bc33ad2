"""Which documents count as business cards, as the weights that ship see them; all of it is invented."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from model.document.types import Box, Line, Page, Word
from model.evaluation.card_likeness import CardShare, count_cards
from model.extraction.extractor import Extractor
from model.extraction.replay import MEASURING, load_cards
from model.extraction.training import Example
from model.pipeline import SHIPPED_WEIGHTS

GOODS = ("Rye bread", "Oat milk 1 l", "Apples 1.2 kg", "Green tea", "Dark soap", "Candles", "Olive oil", "Batteries")


@cache
def shipped() -> Extractor:
    return Extractor.load(SHIPPED_WEIGHTS)


def named_share(page: Page) -> float:
    named = sum(entity.stop - entity.start for entity in shipped().extract(page).entities)
    return named / len(page.words)


def receipt(number: int, *, bought: int = 9) -> Example:
    """Return a receipt that bears what cards bear too: a company, an address, a telephone number."""
    rng = np.random.default_rng(number)
    rows = [
        ("COMPANY", "Larkspur Grocers Ltd"),
        ("ADDRESS", f"{rng.integers(1, 90)} Mill Lane, Ambleford"),
        ("PHONE", f"01632 96{rng.integers(1000, 9999)}"),
        (None, f"Till 4 Receipt {rng.integers(10_000, 99_999)}"),
        (None, f"{rng.integers(10, 28)}/11/2026 14:{rng.integers(10, 59)}"),
    ]
    for _ in range(bought):
        rows.append((None, f"{rng.choice(GOODS)} {rng.integers(1, 4)} {rng.integers(1, 40)}.{rng.integers(10, 99)}"))
    rows += [(None, f"Subtotal {rng.integers(40, 99)}.20"), (None, f"VAT 20 % {rng.integers(4, 9)}.04")]
    rows += [(None, f"TOTAL {rng.integers(40, 99)}.24"), (None, "Thank you, come again")]
    lines, tags = [], []
    for index, (field, text) in enumerate(rows):
        at, words = 40.0, []
        for word in text.split():
            words.append(Word(word, Box(at, 40 + 40 * index, at + 12 * len(word), 64 + 40 * index), 0.95))
            at += 12 * len(word) + 10
        lines.append(Line(text, Box.around(word.box for word in words).polygon(), 0.95, tuple(words)))
        tags += ["O"] * len(words) if field is None else [f"B-{field}", *[f"I-{field}"] * (len(words) - 1)]
    return Example(Page(500, 80 + 40 * len(rows), tuple(lines)), tuple(tags))


def cards(count: int) -> list[list[Example]]:
    return [[card] for card in load_cards(MEASURING)[:count]]


def receipts(count: int, **more: int) -> list[list[Example]]:
    return [[receipt(number, **more)] for number in range(count)]


def counted(documents, rename=()) -> CardShare:
    return count_cards(documents, dict(rename), named_share)


def test_cards_are_cards_and_receipts_are_none_though_their_labels_are_those_of_cards():
    assert counted(cards(30)).share >= 0.9
    assert counted(receipts(20)) == CardShare(0, 20)
    assert counted(receipts(20, bought=2)).share <= 0.05


def test_of_both_mixed_the_cards_are_counted():
    found = counted([*cards(20), *receipts(20)])
    assert found.documents == 40
    assert 18 <= found.cards <= 20


@pytest.mark.parametrize("kept", [("NAME",), ("COMPANY", "PHONE")])
def test_cards_of_which_little_is_labelled_are_still_cards(kept):
    def few(example: Example) -> Example:
        return replace(example, tags=tuple(tag if tag[2:] in kept else "O" for tag in example.tags))

    assert counted([[few(page) for page in pages] for pages in cards(20)]).cards >= 18


def test_values_that_no_card_has_make_no_card():
    def invoice(example: Example) -> Example:
        return replace(example, tags=tuple("O" if tag == "O" else f"{tag[:2]}Total" for tag in example.tags))

    assert counted([[invoice(page) for page in pages] for pages in cards(10)]).cards == 0


def test_a_field_of_cards_under_another_name_is_one_of_theirs():
    def renamed(example: Example) -> Example:
        return replace(example, tags=tuple("O" if tag == "O" else f"{tag[:2]}Reach" for tag in example.tags))

    documents = [[renamed(page) for page in pages] for pages in cards(10)]
    assert counted(documents, {"PHONE": "Reach"}).cards >= 9


def test_both_sides_of_a_card_are_one_card_and_pages_without_words_say_nothing():
    front, back = (card for pages in cards(2) for card in pages)
    empty = Example(Page(100, 100, ()), ())
    assert counted([[front, back, empty]]) == CardShare(1, 1)
    assert counted([[empty]]) == CardShare(0, 0)
    assert CardShare(0, 0).share == 1


def test_of_many_documents_some_are_looked_at():
    found = counted(receipts(1) * 1000)
    assert found == CardShare(0, 200)
