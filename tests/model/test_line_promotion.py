"""The gate of recognisers lets through what reads better and has forgotten nothing, and says why not otherwise."""

import numpy as np
import pytest

from model.line_promotion import LineGate, decide_lines, upper_bound
from model.recognition.measuring import LineScore

GATE = LineGate(min_lines=20, samples=500)


def document(edits: int, lines: int = 5) -> LineScore:
    return LineScore(edits, 20 * lines, max(0, lines - edits), lines)


def decide(old, new, forgetting=None, gate=GATE):
    return decide_lines(old, new, forgetting or {}, gate, np.random.default_rng(0))


def failed(decision) -> list[str]:
    return [check.name for check in decision.checks if not check.passed]


def test_a_recogniser_that_reads_better_everywhere_is_promoted_with_both_measures_as_the_reason() -> None:
    decision = decide([document(3)] * 10, [document(1)] * 10)
    assert decision.promote
    assert decision.reason == "CER 1.00 % after 3.00 %; 80.00 % of the lines right after 40.00 %"


def test_too_few_lines_promote_nothing() -> None:
    assert failed(decide([document(3)] * 3, [document(0)] * 3)) == ["lines"]


def test_no_change_is_no_reason_to_change() -> None:
    assert failed(decide([document(1)] * 10, [document(1)] * 10)) == ["better"]


def test_one_lucky_document_does_not_outweigh_nine_that_are_read_worse() -> None:
    old, new = [document(60), *[document(0)] * 9], [document(0), *[document(4)] * 9]
    assert set(failed(decide(old, new))) >= {"accuracy", "bootstrap"}


def test_forgetting_is_found_however_small_where_there_are_many_lines() -> None:
    old, new = [document(3)] * 10, [document(1)] * 10
    assert decide(old, new, {"en": (LineScore(100, 100_000, 0, 1), LineScore(200, 100_000, 0, 1))}).promote
    decision = decide(old, new, {"en": (LineScore(100, 100_000, 0, 1), LineScore(201, 100_000, 0, 1))})
    assert failed(decision) == ["forgetting"]
    assert decision.reason == "CER on rendered lines 0.201 % after 0.100 %"


def test_forgetting_in_one_language_is_found_though_the_others_gain() -> None:
    old, new = [document(3)] * 10, [document(1)] * 10
    gain = (LineScore(300, 20_000, 80, 100), LineScore(100, 20_000, 95, 100))
    decision = decide(old, new, {"en": gain, "ru": (LineScore(10, 2_000, 90, 100), LineScore(40, 2_000, 70, 100))})
    assert failed(decision) == ["languages"]
    assert decision.reason == "CER on rendered lines, ru, 2.000 % after 0.500 %"
    # Four more edits in two thousand characters may be chance.
    assert decide(old, new, {"en": gain, "ru": (LineScore(10, 2_000, 90, 100), LineScore(14, 2_000, 87, 100))}).promote


def test_the_bound_is_exact_where_every_document_changes_alike() -> None:
    bound = upper_bound([document(3)] * 8, [document(1)] * 8, 200, np.random.default_rng(1))
    assert bound == pytest.approx(-0.02)


def test_different_lines_are_not_compared() -> None:
    with pytest.raises(ValueError, match="same lines"):
        decide([document(1, lines=5)], [document(1, lines=4)])
