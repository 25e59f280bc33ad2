"""Which documents a person should see, and why."""

import pytest

from active_learning.criteria import DocumentFacts, Thresholds, should_send_for_annotation
from active_learning.missing import UsualFields
from active_learning.reasons import Reason, ReasonCode, explain

ALL = frozenset({"NAME", "PHONE", "EMAIL"})
FINE = [0.95] * 8


def verdict(scores=FINE, fields=ALL, **more):
    return should_send_for_annotation(DocumentFacts(scores, frozenset(fields), **more))


def codes(found):
    return [reason.code.value for reason in found.reasons]


def test_a_good_document_is_not_sent():
    found = verdict(classifier_confidence=0.9)
    assert (found.priority, found.reasons) == (0, ())
    assert found.confidence == pytest.approx(0.95)


@pytest.mark.parametrize(
    ("facts", "priority", "code"),
    [
        ({"scores": []}, 3, "nothing_read"),
        ({"scores": [0.45] * 8}, 3, "very_low_confidence"),
        ({"scores": [0.65] * 8}, 3, "low_confidence"),
        ({"scores": [0.1, 0.5] + [0.75] * 6}, 2, "low_confidence"),
        ({"scores": [0.6] * 3 + [0.99] * 5}, 3, "many_low_blocks"),
        ({"fields": {"NAME"}}, 3, "critical_missing"),
        ({"fields": {"NAME", "EMAIL"}}, 2, "critical_missing"),
        ({"scores": [0.9, 0.9]}, 3, "too_few_blocks"),
        ({"scores": [0.9] * 31}, 2, "too_many_blocks"),
        ({"classifier_confidence": 0.59}, 1, "low_classifier_confidence"),
        ({"disagreement": 0.31}, 1, "disagreement"),
        ({"usual": UsualFields({"COMPANY": 0.9}, 50)}, 1, "usual_missing"),
        ({"confused": (("COMPANY", "NAME"), 0.4)}, 1, "confused_fields"),
        ({"novelty": 2.5}, 1, "unlike_annotated"),
    ],
)
def test_each_rule_has_its_priority(facts, priority, code):
    found = verdict(**facts)
    assert found.priority == priority
    assert code in codes(found)


@pytest.mark.parametrize(
    "facts",
    [
        {"scores": [0.7] * 8},
        {"scores": [0.6] * 3 + [0.9] * 7},
        {"scores": [0.9] * 3},
        {"scores": [0.9] * 30},
        {"classifier_confidence": 0.6},
        {"disagreement": 0.3},
        {"novelty": 2.0},
    ],
)
def test_what_lies_on_a_threshold_is_not_sent(facts):
    assert verdict(**facts).priority == 0


def test_the_most_urgent_reason_comes_first():
    found = verdict([0.65] * 8, {"NAME"}, classifier_confidence=0.2)
    assert codes(found) == ["many_low_blocks", "critical_missing", "low_confidence", "low_classifier_confidence"]


def test_thresholds_and_critical_fields_are_a_project_s_own():
    limits = Thresholds(confidence=0.99, very_low_confidence=0.96, critical_fields=("TOTAL",))
    found = should_send_for_annotation(DocumentFacts(FINE, ALL), limits)
    assert codes(found) == ["very_low_confidence", "many_low_blocks", "critical_missing"]
    assert found.reasons[2].fields == ("TOTAL",)


def test_a_critical_field_is_not_missed_twice():
    assert codes(verdict(fields={"NAME", "PHONE"}, usual=UsualFields({"EMAIL": 0.9}, 50))) == ["critical_missing"]


@pytest.mark.parametrize(
    "wrong",
    [{"confidence": 70}, {"very_low_confidence": 0.8}, {"fewest_blocks": 40}, {"low_block_share": -0.1}],
)
def test_thresholds_that_make_no_sense_cannot_be_made(wrong):
    with pytest.raises(ValueError, match="|".join(wrong)):
        Thresholds(**wrong)


def test_reasons_are_said_in_plain_words():
    missing = Reason(ReasonCode.CRITICAL_MISSING, ("PHONE",))
    torn = Reason(ReasonCode.CONFUSED_FIELDS, ("COMPANY", "NAME"), 0.4)
    assert explain(missing) == "phone missing"
    assert explain(torn) == "company and name hard to tell apart"
    assert explain(Reason(ReasonCode.UNLIKE_ANNOTATED)) == "unlike anything annotated so far"
    assert explain(missing, "ru") == "не найдено: телефон"
    assert explain(torn, "ru") == "трудно различить: компания и имя"
    assert explain(missing, names={"PHONE": "mobile"}) == "mobile missing"
    assert explain(Reason(ReasonCode.CRITICAL_MISSING, ("NAME", "PHONE", "SEAT_NO"))) == (
        "name, phone and seat no missing"
    )
    assert explain(Reason(ReasonCode.MANY_LOW_BLOCKS, (), 0.42, 0.3)) == "42 % of the lines are hard to read"


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("code", list(ReasonCode))
def test_every_reason_has_words_in_both_languages(code, language):
    said = explain(Reason(code, ("NAME", "PHONE"), 2.0), language)
    assert said
    assert "{" not in said
