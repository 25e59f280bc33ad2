"""When to stop annotating."""

import numpy as np
import pytest

from active_learning.stopping import (
    Advice,
    AdviceKind,
    CurvePoint,
    FieldState,
    Forecast,
    advise,
    fit_curve,
    forecast,
    in_words,
    kappa,
    stability,
)
from tests.active_learning.pools import rng


def curve(sizes, ceiling=0.9, b=0.8, c=0.5, noise=0.0, seed=0):
    chance = rng(seed)
    return [CurvePoint(n, float(ceiling - b * n**-c + chance.normal(0, noise))) for n in sizes]


GOOD = {"NAME": FieldState(0.9, 100), "PHONE": FieldState(0.85, 120)}


def test_a_curve_is_followed():
    found = forecast(curve([10, 20, 40, 80, 160]), 160, rng())
    assert found is not None
    assert found.gain == pytest.approx(0.8 * (160**-0.5 - 320**-0.5), abs=0.003)
    assert found.low <= found.gain <= found.high
    assert found.ceiling == pytest.approx(0.9, abs=0.01)


def test_the_interval_usually_holds_the_true_gain():
    true = 0.8 * (80**-0.5 - 160**-0.5)
    held = 0
    for seed in range(20):
        found = forecast(curve([10, 20, 30, 40, 60, 80], noise=0.01, seed=seed), 80, rng(seed))
        held += found is not None and found.low <= true <= found.high
    assert held >= 15


def test_too_few_versions_allow_no_forecast():
    assert forecast(curve([10, 20, 40]), 50, rng()) is None
    assert forecast([CurvePoint(50, 0.5 + i / 100) for i in range(6)], 50, rng()) is None


def test_more_documents_never_promise_a_loss():
    found = forecast([CurvePoint(n, s) for n, s in ((10, 0.9), (20, 0.8), (40, 0.7), (80, 0.6))], 100, rng())
    assert found is not None
    assert found.low >= 0


def test_versions_that_agree_are_stable_and_those_that_agree_by_chance_are_not():
    labels = list(rng().choice(["O", "NAME", "PHONE"], size=3000))
    assert stability(labels, labels) == 1
    assert abs(stability(labels, list(rng(1).permutation(labels)))) < 0.06
    assert stability([], []) == stability(["O"] * 5, ["O"] * 5) == 1
    assert kappa(3, {"O": 3, "NAME": 1}, {"O": 3, "NAME": 1}) == pytest.approx((0.75 - 0.625) / 0.375)
    assert kappa(0, {}, {}) == 1
    with pytest.raises(ValueError, match="1 labels before, 2 after"):
        stability(["O"], ["O", "O"])


@pytest.mark.parametrize(
    ("seen", "stable", "fields", "kind"),
    [
        (Forecast(50, 0.03, 0.01, 0.05, 0.9), 0.95, GOOD, AdviceKind.CONTINUE),
        (Forecast(50, 0.005, 0.0, 0.02, 0.9), 0.95, GOOD, AdviceKind.CONTINUE),
        (Forecast(50, 0.005, 0.0, 0.02, 0.9), 0.995, GOOD, AdviceKind.PAUSE),
        (Forecast(50, 0.002, 0.0, 0.008, 0.9), None, GOOD, AdviceKind.PAUSE),
        (None, None, GOOD, AdviceKind.WAIT),
        (Forecast(50, 0.002, 0.0, 0.008, 0.9), 1.0, GOOD | {"FAX": FieldState(0.3, 8)}, AdviceKind.LOOK_AT_FIELD),
        (Forecast(50, 0.03, 0.0, 0.05, 0.9), 1.0, GOOD | {"FAX": FieldState(0.0, 0)}, AdviceKind.CONTINUE),
    ],
)
def test_advice_follows_from_gain_stability_and_fields(seen, stable, fields, kind):
    assert advise(seen, stable, fields).kind is kind


def test_a_field_is_behind_for_want_of_examples_or_for_their_contradictions():
    few, many = (advise(None, None, GOOD | {"FAX": FieldState(0.3, count)}) for count in (8, 80))
    assert (few.field, few.few_examples) == ("FAX", True)
    assert (many.field, many.few_examples) == ("FAX", False)
    assert in_words(few) == (
        'Look at the field "fax": it is far behind the others; it has few examples: annotate documents that have it.'
    )
    assert "check its labels" in in_words(many)
    assert "факс" in in_words(few, "ru")


def test_advice_is_said_with_its_numbers():
    seen = Forecast(50, 0.032, 0.011, 0.054, 0.9)
    assert in_words(Advice(AdviceKind.CONTINUE, seen)) == (
        "Go on: the next 50 documents will gain about 3.2 points of F1 (1.1 to 5.4)."
    )
    assert in_words(Advice(AdviceKind.CONTINUE, seen, 0.97)).endswith("agrees with this one by 0.97 (kappa).")
    assert in_words(Advice(AdviceKind.PAUSE, seen), "ru").startswith("Можно сделать паузу: ещё 50 документов")
    assert in_words(Advice(AdviceKind.WAIT)).startswith("Too early to say")
    assert np.all([in_words(Advice(kind, seen), "ru") for kind in AdviceKind])


def test_a_fitted_curve_can_be_followed_with_its_interval():
    fitted = fit_curve(curve([10, 20, 40, 80, 160], noise=0.005), rng())
    assert fitted is not None
    widths = []
    for documents in (40, 160, 640):
        expected, low, high = fitted.at(documents)
        assert 0 <= low <= expected <= high <= 1
        assert expected == pytest.approx(0.9 - 0.8 * documents**-0.5, abs=0.03)
        widths.append(high - low)
    assert widths[0] < widths[2], "farther away less is known"
