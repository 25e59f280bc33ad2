import numpy as np
import pytest

from ml_backend.predict.uncertainty import ask_previous, signals_of
from ml_backend.store.signals import Signals, Votes
from model.document.types import Box, Document, Doubts, Entity, Line, Page, Word
from model.errors import WeightsError

BOXES = [Box(20 * i, 0, 20 * i + 10, 10) for i in range(4)]
WORDS = tuple(Word(text, box, 0.9) for text, box in zip(("ann", "lee", "+49", "30"), BOXES, strict=True))
PAGE = Page(100, 20, (Line("ann lee +49 30", Box(0, 0, 80, 10).polygon(), 0.9, WORDS, 0.5),))


def document(*fields: str, unsure: float = 0.0) -> Document:
    """A page whose words have these fields; a dash is none."""
    entities = tuple(
        Entity(name, word.text, word.box, 0.9, i, i + 1)
        for i, (name, word) in enumerate(zip(fields, WORDS, strict=True))
        if name != "-"
    )
    least = np.full(4, unsure, dtype=np.float32)
    return Document(PAGE, entities, 0.8, "engine", "v", None, Doubts(least, least, least, least, least))


class Former:
    def __init__(self, said: Document) -> None:
        self.said = said

    def extract(self, page: Page) -> Document:
        assert page is PAGE
        return self.said


def test_it_contradicts_where_both_are_sure_and_differ() -> None:
    present = document("NAME", "NAME", "PHONE", "-", unsure=0.1)
    (opinion,) = ask_previous(Former(document("NAME", "COMPANY", "PHONE", "PHONE", unsure=0.5)), [present])
    assert opinion.against == pytest.approx([0, 0.45, 0, 0.45])
    assert opinion.votes == Votes(2, {"NAME": 1, "COMPANY": 1, "PHONE": 2}, {"NAME": 2, "PHONE": 1, "": 1})
    assert opinion.votes.words == 4
    signals = signals_of([present], [opinion])
    assert signals.previous.largest == pytest.approx(0.45)
    assert signals.line_margins == (0.5,)
    assert Signals.from_json(signals.to_json()) == signals


def test_nothing_is_held_against_a_document_without_a_former_champion_or_one_that_cannot_say() -> None:
    class Blind:
        def extract(self, page: Page) -> Document:
            raise WeightsError("this checkpoint looks at the page's image, and none was given")

    present = document("NAME", "-", "-", "-")
    assert ask_previous(None, [present]) == ask_previous(Blind(), [present]) == ()
    assert signals_of([present]).previous.total == 0
    assert signals_of([present]).votes.words == 0


def test_pages_that_are_cut_into_other_words_are_not_compared() -> None:
    other = Document(Page(100, 20, ()), (), 0.0, "engine", "v")
    (opinion,) = ask_previous(Former(other), [document("NAME", "-", "-", "-")])
    assert opinion.against.tolist() == [0, 0, 0, 0]
    assert opinion.votes.words == 0
