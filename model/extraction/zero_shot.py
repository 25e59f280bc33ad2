"""Naming a project's own fields before anything was annotated: by their names, and by what is printed on the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from model.document.types import Page
from model.extraction.field_concepts import Concept, plain_words
from model.extraction.surroundings import NOTHING, Surroundings
from model.extraction.value_types import ValueType, types_of

# Log odds of a word to be a value, against none. Confidence is held down on purpose: nobody has confirmed anything yet.
_OF_TYPE_WITH_KEY, _OF_TYPE_ABOVE = 1.0, 0.4
_OF_TYPE_ALONE, _OF_TYPE_UNSAID = 0.8, -2.5
_TEXT_WITH_KEY = 0.3
_NOT = -6.0
#: What is added for a field of the model where the words cannot be its value.
VETO = -8.0

#: Words to the left that may hold the key.
_REACH = 5

#: Types of which no value of these fields of the model ever is.
_NEVER: dict[str, frozenset[ValueType]] = {
    **dict.fromkeys(
        ("PHONE", "FAX"),
        frozenset({ValueType.DATE, ValueType.TIME, ValueType.AMOUNT, ValueType.PERCENTAGE}),
    ),
    **dict.fromkeys(
        ("NAME", "POSITION", "COMPANY", "EMAIL", "WEBSITE"),
        frozenset({ValueType.DATE, ValueType.TIME, ValueType.AMOUNT, ValueType.PERCENTAGE}),
    ),
    "ADDRESS": frozenset({ValueType.DATE, ValueType.TIME, ValueType.AMOUNT, ValueType.PERCENTAGE}),
}


def field_evidence(page: Page, concepts: Mapping[str, Concept]) -> NDArray[np.float64]:
    """Return what the fields' names say of each word.

    Args:
        page: Segmented words.
        concepts: What is known of each field, in the order of the columns.

    Returns:
        Shape ``(words, fields)``: log odds against being no value at all.
    """
    around = Surroundings(page)
    types = types_of(page)
    texts = [plain_words(word.text) for word in page.words]
    found = np.full((len(texts), len(concepts)), _NOT)
    phrases = [{"".join(key): len("".join(key)) for key in concept.keys} for concept in concepts.values()]
    longest = {key: length for each in phrases for key, length in each.items()}
    for word, kinds in enumerate(types):
        beside = _key_beside(word, around, texts, longest)
        over = _key_above(word, around, texts, longest)
        for column, concept in enumerate(concepts.values()):
            if concept.types and not kinds & concept.types:
                continue
            has, above = beside in phrases[column], over in phrases[column]
            if concept.types:
                if has or above:
                    found[word, column] = _OF_TYPE_WITH_KEY if has else _OF_TYPE_ABOVE
                elif not concept.needs_key:
                    found[word, column] = _OF_TYPE_ALONE
                else:
                    found[word, column] = _OF_TYPE_UNSAID
            elif has and not kinds:
                found[word, column] = _TEXT_WITH_KEY
    return found


def vetoes(page: Page, fields: Sequence[str]) -> NDArray[np.float64]:
    """Return what is to be added to the log odds of the model's fields: a date is never a telephone number.

    Returns:
        Shape ``(words, fields)``: 0, or :data:`VETO` where a word cannot be a value of the field.
    """
    added = np.zeros((len(page.words), len(fields)))
    for word, kinds in enumerate(types_of(page)):
        if ValueType.PHONE in kinds:
            # A part of a number may look like an amount or a date as well.
            continue
        for column, field in enumerate(fields):
            if kinds & _NEVER.get(field, frozenset()):
                added[word, column] = VETO
    return added


def _key_beside(word: int, around: Surroundings, texts: Sequence[tuple[str, ...]], known: Mapping[str, int]) -> str:
    """Return the longest known phrase among the words to the left of a value, "" where there is none.

    What stands between a phrase and its value may be marks, a currency or further words of the phrase.
    """
    before = around.before(word, _REACH)
    own = "".join(texts[word])
    best = own if own in known else ""
    words: list[str] = []
    for each in before:
        words = [*texts[each], *words]
        for first in range(len(words)):
            for last in range(len(words), first, -1):
                phrase = "".join(words[first:last])
                if phrase in known and len(phrase) > len(best):
                    best = phrase
    return best


def _key_above(word: int, around: Surroundings, texts: Sequence[tuple[str, ...]], known: Mapping[str, int]) -> str:
    above = int(around.above[word])
    if above == NOTHING:
        return ""
    start, stop = around.page.line_spans()[around.lines[above]]
    line = "".join("".join(texts[each]) for each in range(start, stop))
    alone = "".join(texts[above])
    return line if line in known else alone if alone in known else ""
