"""The gate of recognisers lets through what reads better and has forgotten nothing, and says why not otherwise."""

import numpy as np
import pytest

from model.evaluation.recogniser_gate import Forgetting, LineGate, decide_lines, upper_bound
from model.recognition.measuring import LineScore

GATE = LineGate(min_lines=20, samples=500)


def document(edits: int, lines: int = 5) -> LineScore:
    return LineScore(edits, 20 * lines, max(0, lines - edits), lines)


def decide(old, new, forgetting=None, gate=GATE):
    return decide_lines(old, new, forgetting, gate, np.random.default_rng(0))


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


def rendered(ordinary, rare=((), ()), languages=None) -> Forgetting:
    return Forgetting(ordinary, rare, languages or {"en": ordinary})


def lines(*edits: int) -> list[LineScore]:
    return [LineScore(each, 20, int(each == 0), 1) for each in edits]


BETTER = [document(3)] * 10, [document(1)] * 10


def test_forgetting_is_found_however_small_where_there_are_many_lines() -> None:
    before, after = [LineScore(1, 1000, 0, 1)] * 100, [LineScore(2, 1000, 0, 1)] * 100
    assert decide(*BETTER, rendered((before, after))).promote
    decision = decide(*BETTER, rendered((before, [LineScore(2, 1000, 0, 1)] * 99 + [LineScore(3, 1000, 0, 1)])))
    assert set(failed(decision)) == {"forgetting", "ordinary lines", "languages"}
    assert decision.reason.startswith("CER on rendered lines 0.201 % after 0.100 %")


def test_ordinary_lines_must_be_shown_to_be_read_no_worse() -> None:
    kept = lines(*[0] * 500), lines(*[0] * 500)
    assert decide(*BETTER, rendered(kept)).promote
    # Nine lines more of ten thousand characters may be misread, eleven may not.
    for worse, promoted in ((9, True), (11, False)):
        after = lines(*[1] * worse, *[0] * (500 - worse))
        languages = {str(n): (kept[0][n::50], after[n::50]) for n in range(50)}
        assert decide(*BETTER, rendered((kept[0], after), languages=languages)).promote == promoted
    # On average nothing changes, but a hundred and twenty lines up and as many down leave open whether that was luck.
    unsure = lines(*[0] * 260, *[1] * 120, *[0] * 120), lines(*[0] * 260, *[0] * 120, *[1] * 120)
    decision = decide(*BETTER, rendered(unsure))
    assert failed(decision) == ["ordinary lines"]
    assert "+0.10 and +0.20 are allowed" in decision.reason


def test_what_is_gained_on_rare_characters_makes_up_for_no_loss_on_ordinary_lines() -> None:
    ordinary = lines(*[0] * 500), lines(*[1] * 30, *[0] * 470)
    rare = lines(*[5] * 100), lines(*[0] * 100)
    assert set(failed(decide(*BETTER, rendered(ordinary, rare)))) == {"ordinary lines", "languages"}


def test_forgetting_in_one_language_is_found_though_the_others_gain() -> None:
    ordinary = lines(*[1] * 500), lines(*[0] * 500)
    suffers = lines(*[0] * 100), lines(*[1] * 30, *[0] * 70)
    decision = decide(*BETTER, rendered(ordinary, languages={"en": ordinary, "ru": suffers}))
    assert failed(decision) == ["languages"]
    assert decision.reason == "CER on rendered lines, ru, 1.500 % after 0.000 %"
    # Some lines read worse and nearly as many better may be chance.
    chance = lines(*[1] * 9, *[0] * 91), lines(*[0] * 9, *[1] * 13, *[0] * 78)
    assert decide(*BETTER, rendered(ordinary, languages={"en": ordinary, "ru": chance})).promote


def test_one_more_line_read_wrongly_among_many_equal_ones_may_be_chance_but_not_five() -> None:
    ordinary = lines(*[1] * 500), lines(*[0] * 500)
    for worse, promoted in ((1, True), (5, False)):
        ru = lines(*[0] * 50), lines(*[1] * worse, *[0] * (50 - worse))
        assert decide(*BETTER, rendered(ordinary, languages={"en": ordinary, "ru": ru})).promote == promoted


def test_the_bound_is_exact_where_every_document_changes_alike() -> None:
    bound = upper_bound([document(3)] * 8, [document(1)] * 8, 200, np.random.default_rng(1))
    assert bound == pytest.approx(-0.02)


def test_different_lines_are_not_compared() -> None:
    with pytest.raises(ValueError, match="same lines"):
        decide([document(1, lines=5)], [document(1, lines=4)])


def test_scripts_that_do_not_count_are_named_in_the_reason() -> None:
    same = lines(0, 0), lines(0, 0)
    decision = decide(*BETTER, Forgetting(same, ((), ()), {"en": same}, frozenset({"CYRILLIC"})))
    assert decision.promote
    assert decision.reason.endswith("rendered lines in Cyrillic do not count: the project has no such line")
