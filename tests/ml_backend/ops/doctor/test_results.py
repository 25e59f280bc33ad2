from ml_backend.errors import LabelStudioError
from ml_backend.i18n import say
from ml_backend.ops.doctor.results import Check, Seen, examine, well, worst

BROKEN = Seen("broken", say("It is broken."), say("Fix it."))


def check(name, *seen, needs=()):
    return Check(name, say(name.capitalize()), lambda patient: seen, needs)


def test_findings_come_in_the_order_of_the_checks():
    findings = list(examine([check("first", well("Yes.")), check("second", BROKEN)], None))
    assert [(finding.check, finding.state) for finding in findings] == [("first", "well"), ("second", "broken")]
    assert str(findings[1].remedy) == "Fix it."


def test_what_needs_something_broken_is_skipped_and_says_what_to_mend_first():
    checks = [check("first", BROKEN), check("second", well("Yes."), needs=("first",))]
    checks.append(check("third", well("Yes."), needs=("second",)))
    *_, second, third = examine(checks, None)
    assert (second.state, third.state) == ("skipped", "skipped")
    assert str(third.found) == 'Not looked at: first fix "First".'


def test_an_error_during_a_check_is_a_finding_with_its_hint_as_the_remedy():
    def fail(patient):
        raise LabelStudioError("Label Studio did not list the webhooks {1}.", "Ask {its} owner.")

    (finding,) = examine([Check("webhook", say("Webhook"), fail)], None)
    assert (finding.state, str(finding.found)) == ("broken", "Label Studio did not list the webhooks {1}.")
    assert str(finding.remedy) == "Ask {its} owner."


def test_the_worst_finding_decides_and_skipped_ones_do_not_count():
    findings = list(examine([check("a", well("Yes.")), check("b", Seen("attention", say("Hm.")))], None))
    assert worst(findings) == "attention"
    assert worst(findings[:1]) == "well"
    assert worst([]) == "well"
