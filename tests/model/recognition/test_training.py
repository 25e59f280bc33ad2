"""A head learns what it is shown, forgets little, and says how sure it is."""

from dataclasses import replace

import numpy as np
import pytest

from model.recognition.confidence import calibration_error, character_outcomes, fit_temperature
from model.recognition.head import Head
from model.recognition.lines import FeatureLine, load_lines, save_lines
from model.recognition.measuring import compare, measure, pooled
from model.recognition.training import HeadPlan, train_head
from tests.model.recognition.conftest import made_up_lines

KNOWN, NEW = "abcdefg ", "xyz"
PLAN = HeadPlan(budget_seconds=60, passes=30, evaluations=4, learning_rate=2e-2)


def empty_head(characters):
    rng = np.random.default_rng(0)
    alphabet = (*sorted(set(characters) - {" "}), " ")
    return Head(
        rng.normal(0, 0.01, (12, len(alphabet) + 1)).astype(np.float32),
        np.zeros(len(alphabet) + 1, np.float32),
        alphabet,
        "made up",
    )


@pytest.fixture(scope="module")
def taught():
    return train_head(empty_head(KNOWN), made_up_lines(1, 200, KNOWN), made_up_lines(2, 40, KNOWN), (), PLAN)


def cer(head, lines):
    return pooled(measure(head, lines)).cer


def test_a_head_learns_to_read(taught):
    assert cer(taught.head, made_up_lines(3, 40, KNOWN)) < 0.02
    assert taught.curve[-1].valid_cer is not None
    assert taught.seconds <= PLAN.budget_seconds + 1


def test_replayed_lines_keep_what_was_known(taught):
    wide = taught.head.widened(NEW)
    lines, valid = made_up_lines(4, 60, NEW), made_up_lines(5, 20, NEW)
    old = made_up_lines(6, 60, KNOWN)
    learned = train_head(wide, lines, valid, made_up_lines(7, 200, KNOWN), PLAN).head
    assert cer(wide, valid) > 0.5
    assert cer(learned, made_up_lines(8, 40, NEW)) < 0.05
    assert cer(learned, old) <= cer(wide, old) + 0.01


def test_training_that_makes_nothing_better_returns_what_it_started_from(taught):
    shuffled = [FeatureLine(line.features, line.text[::-1]) for line in made_up_lines(9, 30, KNOWN)]
    same = train_head(taught.head, shuffled, made_up_lines(10, 40, KNOWN), (), HeadPlan(budget_seconds=1)).head
    assert np.array_equal(same.weights, taught.head.weights)


def test_lines_that_cannot_be_spelled_are_left_out_and_none_is_an_error(taught):
    unknown = FeatureLine(np.zeros((9, 12), np.float32), "Q")
    too_long = FeatureLine(np.zeros((2, 12), np.float32), "aa")
    for lines in ((), (unknown,), (too_long,), (FeatureLine(np.zeros((3, 12), np.float32), ""),)):
        with pytest.raises(ValueError, match="no line"):
            train_head(taught.head, lines, (), (), PLAN)


def test_training_is_the_same_for_the_same_seed(taught):
    plan = HeadPlan(budget_seconds=60, passes=2)
    heads = [train_head(taught.head, made_up_lines(1, 40, KNOWN), (), (), plan).head for _ in range(2)]
    assert np.allclose(heads[0].bias, heads[1].bias, atol=1e-2)


def test_a_fitted_temperature_makes_scores_what_they_say(taught):
    rng = np.random.default_rng(0)
    noisy = [
        FeatureLine(line.features + rng.normal(0, 1.6, line.features.shape).astype(np.float32), line.text)
        for line in made_up_lines(11, 200, KNOWN)
    ]
    sure = Head(taught.head.weights * 4, taught.head.bias * 4, taught.head.characters, taught.head.backbone)
    fitted = Head(sure.weights, sure.bias, sure.characters, sure.backbone, fit_temperature(sure, noisy[:100]))
    before, after = (calibration_error(*character_outcomes(head, noisy[100:])) for head in (sure, fitted))
    assert after < before
    assert fitted.temperature > 1


def test_edits_are_counted_over_true_characters():
    score = compare("Иван  Петров", "Ивам Петро") + compare("ok", "ok")
    assert (score.edits, score.characters, score.right, score.lines) == (2, 13, 1, 2)
    assert score.cer == pytest.approx(2 / 13)
    assert score.line_accuracy == 0.5


def test_lines_come_back_from_their_file_as_they_were_but_for_rounding(tmp_path):
    lines = made_up_lines(12, 20, KNOWN)
    save_lines(lines, tmp_path / "lines.npz", backbone="made up")
    again = load_lines(tmp_path / "lines.npz", backbone="made up")
    assert [line.text for line in again] == [line.text for line in lines]
    assert max(np.abs(a.features - b.features).max() for a, b in zip(lines, again, strict=True)) < 1.0


def test_neighbours_tell_apart_what_looks_alike():
    def turned(lines):
        # Whoever stands beside an "x" is a capital, though it looks the same.
        return [
            FeatureLine(line.features, "".join(_upper(line.text, i) for i in range(len(line.text)))) for line in lines
        ]

    def _upper(text, i):
        return text[i].upper() if "x" in text[max(0, i - 1) : i] + text[i + 1 : i + 2] else text[i]

    head = empty_head("abxABX ")
    train, valid, test = (turned(made_up_lines(seed, count, "abx")) for seed, count in ((1, 400), (2, 40), (3, 60)))
    plan = HeadPlan(budget_seconds=20, passes=40, learning_rate=2e-2, evaluations=6, patience=6)
    plain = train_head(head, train, valid, (), plan).head
    looking = train_head(head, train, valid, (), replace(plan, context=True)).head
    assert cer(plain, test) > 0.2
    assert cer(looking, test) < 0.5 * cer(plain, test)
