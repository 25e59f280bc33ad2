import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from model.document.bio import CONTINUOUS, FIELDS, decode, field_of, spans, tags_of

TAGS = tags_of(("NAME", "PHONE"))


def log_probabilities(rows):
    values = np.array(rows, dtype=np.float64)
    return np.log(values / values.sum(axis=1, keepdims=True))


def test_every_field_has_an_opening_and_a_continuing_tag_and_outside_comes_first():
    tags = tags_of(FIELDS)
    assert tags[0] == "O"
    assert len(tags) == 2 * len(FIELDS) + 1
    assert {field_of(tag) for tag in tags} == {None, *FIELDS}


def test_an_entity_ends_where_its_line_ends():
    assert spans(["B-NAME", "I-NAME", "I-NAME"], [(0, 2), (2, 3)]) == [("NAME", 0, 2), ("NAME", 2, 3)]


def test_a_new_opening_tag_begins_a_new_entity_of_the_same_field():
    assert spans(["B-PHONE", "B-PHONE", "O"], [(0, 3)]) == [("PHONE", 0, 1), ("PHONE", 1, 2)]


def test_a_continuing_tag_without_its_beginning_still_yields_an_entity():
    assert spans(["O", "I-NAME", "I-PHONE"], [(0, 3)]) == [("NAME", 1, 2), ("PHONE", 2, 3)]


def test_decoding_prefers_a_valid_sequence_to_the_best_tag_of_each_word():
    # The second word alone would be I-PHONE, which cannot follow B-NAME.
    rows = log_probabilities([[1, 90, 1, 7, 1], [1, 1, 43, 5, 50]])
    assert decode(rows, TAGS, [(0, 2)]) == ["B-NAME", "I-NAME"]


def test_no_line_begins_with_a_continuing_tag():
    rows = log_probabilities([[1, 4, 95, 1, 1]] * 2)
    assert decode(rows, TAGS, [(0, 1), (1, 2)]) == ["B-NAME", "B-NAME"]


def test_an_address_is_not_cut_where_nothing_stands_between():
    tags = tags_of(("ADDRESS", "PHONE"))
    rows = log_probabilities([[1, 90, 3, 3, 3], [1, 60, 33, 3, 3]])
    assert decode(rows, tags, [(0, 2)]) == ["B-ADDRESS", "I-ADDRESS"]
    phones = log_probabilities([[1, 3, 3, 90, 3], [1, 3, 3, 60, 33]])
    assert decode(phones, tags, [(0, 2)]) == ["B-PHONE", "B-PHONE"]


@given(st.lists(st.lists(st.floats(0.01, 1), min_size=5, max_size=5), min_size=1, max_size=4))
def test_decoding_finds_the_best_of_all_valid_sequences(rows):
    scores = log_probabilities(rows)

    def may_follow(before, tag):
        same = field_of(before) is not None and field_of(before) == field_of(tag)
        return same if tag.startswith("I-") else not same or field_of(tag) not in CONTINUOUS

    def valid(sequence):
        return all(may_follow(before, tag) for before, tag in zip(("O", *sequence), sequence))

    def total(sequence):
        return sum(scores[i, TAGS.index(tag)] for i, tag in enumerate(sequence))

    best = max((s for s in itertools.product(TAGS, repeat=len(rows)) if valid(s)), key=total)
    decoded = decode(scores, TAGS, [(0, len(rows))])
    assert valid(decoded)
    assert np.isclose(total(decoded), total(best))


def test_evidence_on_a_whole_value_decides_what_its_words_leave_open():
    rows = log_probabilities([[40, 1, 1, 57, 1], [40, 1, 1, 1, 57]])
    assert decode(rows, TAGS, [(0, 2)]) == ["B-PHONE", "I-PHONE"]

    def against_phones(field, start, stop):
        return -3.0 if field == "PHONE" else 0.0

    assert decode(rows, TAGS, [(0, 2)], against_phones) == ["O", "O"]

    def for_names_of_two_words(field, start, stop):
        return 20.0 if (field, start, stop) == ("NAME", 0, 2) else 0.0

    assert decode(rows, TAGS, [(0, 2)], for_names_of_two_words) == ["B-NAME", "I-NAME"]
