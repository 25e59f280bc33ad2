import numpy as np
import pytest

from model.extraction.committee import Committee, Proposal


def proposals(rng, count=400):
    """Values of which the classifier is too sure, and the patterns know better."""
    for _ in range(count):
        probability = float(rng.uniform(0.3, 0.99))
        agrees = bool(rng.random() < 0.6)
        right = bool(rng.random() < (0.9 if agrees else 0.1))
        yield Proposal("PHONE", probability, "number/phone" if agrees else "code/other", right)


@pytest.fixture
def committee():
    return Committee.fit(proposals(np.random.default_rng(0)))


def test_a_pattern_that_mostly_fits_right_values_speaks_for_them(committee):
    assert committee.evidence("PHONE", "number/phone") > 0 > committee.evidence("PHONE", "code/other")


def test_confidence_is_as_often_right_as_it_says(committee):
    test = list(proposals(np.random.default_rng(1), 2000))
    for outcome in ("number/phone", "code/other"):
        chosen = [p for p in test if p.outcome == outcome]
        said = np.mean([committee.confidence(p.field, p.probability, p.outcome) for p in chosen])
        assert said == pytest.approx(np.mean([p.right for p in chosen]), abs=0.06)


def test_confidence_grows_with_the_classifiers_probability():
    rng = np.random.default_rng(2)
    rows = [Proposal("NAME", p, "text", bool(rng.random() < p)) for p in rng.uniform(0.05, 0.95, 500)]
    committee = Committee.fit(rows)
    assert committee.confidence("NAME", 0.9, "text") > committee.confidence("NAME", 0.4, "text") + 0.2


def test_a_field_without_history_keeps_the_classifiers_word(committee):
    assert committee.confidence("TAX_ID", 0.73, "code/none") == 0.73
    assert committee.evidence("TAX_ID", "code/none") == 0.0
    few = [Proposal("NAME", 0.5, "text", i % 2 == 0) for i in range(10)]
    assert Committee.fit(few).opinions == {}
    assert Committee.fit([Proposal("NAME", 0.5, "text", True)] * 100).opinions == {}


def test_an_outcome_never_seen_adds_nothing(committee):
    assert committee.evidence("PHONE", "host") == 0.0


def test_opinions_survive_being_written_down(committee):
    again = Committee.from_json(committee.to_json())
    for probability in (0.0, 0.2, 0.99, 1.0):
        for outcome in ("number/phone", "code/other", "host"):
            assert again.confidence("PHONE", probability, outcome) == pytest.approx(
                committee.confidence("PHONE", probability, outcome), abs=1e-3
            )
    assert Committee.from_json(None).opinions == {}


def sure(committee, field, probability, outcome):
    return committee.adjusted(field, committee.confidence(field, probability, outcome))


def test_new_values_change_how_sure_one_is_and_the_more_the_more(committee):
    wrong = [Proposal("PHONE", 0.95, "number/phone", i % 4 == 3) for i in range(80)]
    before, few, many = (
        sure(each, "PHONE", 0.95, "number/phone")
        for each in (committee, committee.adapted(wrong[:4]), committee.adapted(wrong))
    )
    assert before > 0.85
    assert before - 0.4 < few < before - 0.05
    assert many == pytest.approx(0.25, abs=0.08)


def test_new_values_leave_what_is_named(committee):
    again = committee.adapted([Proposal("PHONE", 0.95, "number/phone", False)] * 50)
    assert again.confidence("PHONE", 0.95, "number/phone") == committee.confidence("PHONE", 0.95, "number/phone")
    assert again.opinions == committee.opinions


def test_confidence_that_agrees_with_new_values_stays(committee):
    again = committee.adapted(proposals(np.random.default_rng(3), 300))
    for outcome in ("number/phone", "code/other"):
        said = sure(again, "PHONE", 0.7, outcome)
        assert said == pytest.approx(committee.confidence("PHONE", 0.7, outcome), abs=0.08)
    assert committee.adapted([]) == committee


def test_confidence_in_a_new_field_is_fitted_too_and_survives_being_written_down(committee):
    again = committee.adapted([Proposal("TAX_ID", 0.9, "code/none", i % 2 == 0) for i in range(40)])
    for each in (again, Committee.from_json(again.to_json())):
        assert sure(each, "TAX_ID", 0.9, "code/none") == pytest.approx(0.5, abs=0.1)
        assert "TAX_ID" not in each.opinions
        assert each.opinions.keys() == committee.opinions.keys()
