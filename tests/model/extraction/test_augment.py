from dataclasses import fields

import numpy as np
import pytest

from model.document.bio import spans
from model.document.types import Box, Line, Page, Word
from model.extraction.augment import Augmentation, augment
from model.extraction.training import Example

NOTHING = Augmentation(**{each.name: 0.0 for each in fields(Augmentation)})


def card():
    rows = [
        [("Ada", "B-NAME"), ("Lovelace", "I-NAME"), ("PhD", "O")],
        [("Tel", "O"), ("040", "B-PHONE"), ("123", "I-PHONE"), ("456", "I-PHONE")],
        [("ada@example.com", "B-EMAIL")],
    ]
    lines = tuple(
        Line(
            " ".join(text for text, _ in row),
            Box(20, 20 + 40 * number, 20 + 90 * len(row), 50 + 40 * number).polygon(),
            0.9,
            tuple(
                Word(text, Box(20 + 90 * i, 20 + 40 * number, 100 + 90 * i, 50 + 40 * number), 0.9)
                for i, (text, _) in enumerate(row)
            ),
        )
        for number, row in enumerate(rows)
    )
    return Example(Page(400, 200, lines), tuple(tag for row in rows for _, tag in row))


def test_without_any_change_the_page_stays_as_it_is():
    assert augment(card(), np.random.default_rng(1), NOTHING) == card()


@pytest.mark.parametrize("seed", range(20))
def test_whatever_changes_there_is_a_tag_a_word_and_no_line_is_lost(seed):
    changed = augment(card(), np.random.default_rng(seed), Augmentation(drop_word=0.4, jitter=0.8, misread=0.3))
    assert len(changed.tags) == len(changed.page.words)
    assert len(changed.page.lines) == 3
    assert all(word.text for word in changed.page.words)


@pytest.mark.parametrize("seed", range(20))
def test_an_entity_that_loses_words_is_still_one_entity(seed):
    changed = augment(card(), np.random.default_rng(seed), Augmentation(drop_word=0.5))
    found = [field for field, _, _ in spans(changed.tags, changed.page.line_spans())]
    assert len(found) == len(set(found))
    assert all(
        tag.startswith("B-") or changed.tags[i - 1][2:] == tag[2:] for i, tag in enumerate(changed.tags) if tag != "O"
    )


def test_digits_become_other_digits_and_letters_stay():
    changed = augment(card(), np.random.default_rng(3), Augmentation(**{**_none(), "digits": 1.0}))
    texts = [word.text for word in changed.page.words]
    assert texts[:4] == ["Ada", "Lovelace", "PhD", "Tel"]
    assert texts[4:7] != ["040", "123", "456"]
    assert all(text.isdigit() and len(text) == 3 for text in texts[4:7])


def test_boxes_move_with_the_frame_of_the_page():
    changed = augment(card(), np.random.default_rng(5), Augmentation(**{**_none(), "frame": 0.1}))
    before, after = card().page, changed.page
    assert (after.width, after.height) != (before.width, before.height)
    shifts = {round(a.box.x0 - b.box.x0, 6) for a, b in zip(after.words, before.words)}
    assert len(shifts) == 1


def test_the_same_chance_gives_the_same_page():
    first, second = (augment(card(), np.random.default_rng(9), Augmentation()) for _ in range(2))
    assert first == second


def _none():
    return {each.name: 0.0 for each in fields(Augmentation)}
