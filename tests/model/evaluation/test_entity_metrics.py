import pytest

from model.evaluation.entity_metrics import Score, count_spans, score_fields, total


def test_texts_match_whatever_their_case_spaces_and_signs():
    table = score_fields({"a": [("PHONE", "+49 (30) 12-34")]}, {"a": [("PHONE", "+49301234")]})
    assert table["PHONE"].f1 == 1.0


def test_a_slightly_misread_truth_still_matches_and_a_different_one_does_not():
    truth = {"a": [("NAME", "Ann Miller")]}
    assert score_fields(truth, {"a": [("NAME", "Ann Mil1er")]})["NAME"].hits == 1
    assert score_fields(truth, {"a": [("NAME", "Bob Smith")]})["NAME"].hits == 0


def test_one_prediction_matches_one_truth_only():
    score = score_fields({"a": [("PHONE", "123456"), ("PHONE", "123456")]}, {"a": [("PHONE", "123456")]})["PHONE"]
    assert (score.hits, score.given, score.wanted) == (1, 1, 2)
    assert score.precision == 1.0
    assert score.recall == 0.5
    assert score.f1 == pytest.approx(2 / 3)


def test_with_tagged_only_a_field_without_truth_on_a_document_costs_nothing_there():
    truth = {"a": [("NAME", "Ann")], "b": [("PHONE", "123456")]}
    predicted = {"a": [("NAME", "Ann"), ("PHONE", "999999")], "b": [("PHONE", "123456")]}
    assert score_fields(truth, predicted, tagged_only=True)["micro"].f1 == 1.0
    assert score_fields(truth, predicted)["micro"].precision == pytest.approx(2 / 3)


def test_a_document_without_prediction_counts_as_missed():
    assert score_fields({"a": [("NAME", "Ann")]}, {})["micro"].recall == 0.0


def test_a_span_is_right_only_in_field_and_words():
    truth = [("NAME", 0, 2), ("PHONE", 2, 3), ("EMAIL", 3, 4)]
    given = [("NAME", 0, 2), ("PHONE", 2, 4), ("ADDRESS", 4, 6)]
    counts = count_spans(truth, given, fields=("NAME", "PHONE", "EMAIL"), rename={})
    assert counts == {"NAME": Score(1, 1, 1), "PHONE": Score(0, 1, 1), "EMAIL": Score(0, 0, 1)}


def test_a_field_that_goes_by_anothers_name_counts_as_that():
    counts = count_spans([("PHONE", 0, 1)], [("FAX", 0, 1)], fields=("PHONE",), rename={"FAX": "PHONE"})
    assert counts == {"PHONE": Score(1, 1, 1)}
    assert count_spans([], [("FAX", 0, 1)], fields=("PHONE",), rename={}) == {"PHONE": Score(0, 0, 0)}


def test_documents_add_up_field_by_field_and_over_all():
    table = total([{"NAME": Score(1, 1, 1), "FAX": Score(0, 1, 0)}, {"NAME": Score(0, 1, 2)}])
    assert table == {"NAME": Score(1, 2, 3), "FAX": Score(0, 1, 0), "micro": Score(1, 3, 3)}
    assert total([])["micro"].f1 == 0.0
