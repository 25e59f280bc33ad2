"""Sentences that are strings, and still know their parts."""

import copy

from model.errors import TrackingError, listed, said_by, say


def test_a_sentence_is_a_string_that_knows_its_parts():
    said = say("F1 {after:.3f} after {before:.3f}", after=0.5, before=0.25)
    assert said == "F1 0.500 after 0.250"
    assert (said.template, said.values["after"]) == ("F1 {after:.3f} after {before:.3f}", 0.5)
    assert copy.deepcopy(said).values == said.values


def test_several_sentences_are_one_with_all_parts():
    assert listed([say("one"), say("{n} more", n=2), say("three")]) == "one; 2 more; three"
    assert listed([]) == ""
    assert listed([say("{n} more", n=2)]).template == "{n} more"


def test_what_an_error_says_keeps_its_parts_where_it_has_any():
    assert said_by(TrackingError(say("{n} lost", n=3))).template == "{n} lost"
    assert said_by(ValueError("plain")) == "plain"
    assert said_by(KeyError(say("gone"))) == "'gone'"
