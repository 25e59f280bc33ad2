from ml_backend.errors import LabelStudioError
from ml_backend.i18n import say
from ml_backend.ops.doctor.results import Check, Observation, examine, ok, worst

BROKEN = Observation("error", say("It is broken."), say("Fix it."))


def check(name, *seen, needs=()):
    return Check(name, say(name.capitalize()), lambda target: seen, needs)


def test_findings_come_in_the_order_of_the_checks():
    results = list(examine([check("first", ok("Yes.")), check("second", BROKEN)], None))
    assert [(result.check, result.state) for result in results] == [("first", "ok"), ("second", "error")]
    assert str(results[1].remedy) == "Fix it."


def test_what_needs_something_broken_is_skipped_and_says_what_to_mend_first():
    checks = [check("first", BROKEN), check("second", ok("Yes."), needs=("first",))]
    checks.append(check("third", ok("Yes."), needs=("second",)))
    *_, second, third = examine(checks, None)
    assert (second.state, third.state) == ("skipped", "skipped")
    assert str(third.found) == 'Not looked at: first fix "First".'


def test_an_error_during_a_check_is_a_finding_with_its_hint_as_the_remedy():
    def fail(target):
        raise LabelStudioError("Label Studio did not list the webhooks {1}.", "Ask {its} owner.")

    (result,) = examine([Check("webhook", say("Webhook"), fail)], None)
    assert (result.state, str(result.found)) == ("error", "Label Studio did not list the webhooks {1}.")
    assert str(result.remedy) == "Ask {its} owner."


def test_the_worst_finding_decides_and_skipped_ones_do_not_count():
    results = list(examine([check("a", ok("Yes.")), check("b", Observation("warning", say("Hm.")))], None))
    assert worst(results) == "warning"
    assert worst(results[:1]) == "ok"
    assert worst([]) == "ok"
