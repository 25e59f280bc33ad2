import numpy as np
import pytest

from model.extraction.calibration import (
    TEMPERATURES,
    entity_confidences,
    expected_calibration_error,
    fit_temperature,
    mean_nll,
    reliability,
    word_confidences,
)


def overconfident(factor: float, words: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Return logits ``factor`` times too large for targets that are drawn from the true probabilities."""
    rng = np.random.default_rng(7)
    honest = rng.normal(scale=2.0, size=(words, 5))
    noise = rng.gumbel(size=honest.shape)
    return honest * factor, (honest + noise).argmax(axis=1)


def softmax(logits: np.ndarray) -> np.ndarray:
    return np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_a_factor_on_the_logits(factor: float) -> None:
    assert fit_temperature(*overconfident(factor)) == pytest.approx(factor, rel=0.05)


def test_the_temperature_brings_the_calibration_error_down() -> None:
    logits, targets = overconfident(3.0)
    temperature = fit_temperature(logits, targets)

    def error(values: np.ndarray) -> float:
        return expected_calibration_error(reliability(*word_confidences(softmax(values), targets)))

    assert error(logits) > 0.1
    assert error(logits / temperature) < 0.015
    assert mean_nll(logits / temperature, targets) < mean_nll(logits, targets)


def test_a_model_that_is_always_right_gets_the_lowest_temperature_and_no_word_gets_1() -> None:
    logits = np.eye(3) * 4
    assert fit_temperature(logits, np.arange(3)) == pytest.approx(TEMPERATURES[0], rel=0.01)
    assert fit_temperature(np.zeros((0, 3)), np.zeros(0, dtype=np.int64)) == 1.0


def test_a_diagram_has_a_bin_for_each_range_with_answers_and_certainty_is_in_the_last() -> None:
    diagram = reliability([0.05, 0.91, 0.99, 1.0], [False, True, True, False], bins=10)
    assert [(each.low, each.count) for each in diagram] == [(0.0, 1), (0.9, 3)]
    assert diagram[1].accuracy == pytest.approx(2 / 3)
    assert diagram[1].confidence == pytest.approx((0.91 + 0.99 + 1.0) / 3)


def test_the_calibration_error_weighs_each_bin_by_its_answers() -> None:
    diagram = reliability([0.25, 0.75, 0.75, 0.75], [True, True, True, False], bins=2)
    assert expected_calibration_error(diagram) == pytest.approx((1 * 0.75 + 3 * abs(0.75 - 2 / 3)) / 4)
    assert expected_calibration_error(()) == 0.0


def test_an_entity_is_right_only_with_its_field_and_its_very_words() -> None:
    named = [(("NAME", 0, 2), 0.9), (("PHONE", 2, 3), 0.8), (("EMAIL", 3, 4), 0.7)]
    confidences, right = entity_confidences(named, [("NAME", 0, 2), ("FAX", 2, 3), ("EMAIL", 3, 5)])
    assert confidences.tolist() == [0.9, 0.8, 0.7]
    assert right.tolist() == [True, False, False]


def test_a_word_counts_by_its_most_probable_tag() -> None:
    confidences, right = word_confidences(np.array([[0.2, 0.8], [0.6, 0.4]]), np.array([1, 1]))
    assert confidences.tolist() == [0.8, 0.6]
    assert right.tolist() == [True, False]
