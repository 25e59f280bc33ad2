"""What an examination finds, and how it goes through its checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from ml_backend.errors import BackendError
from ml_backend.i18n import Words, say
from model.errors import ModelError

State = Literal["well", "attention", "broken", "skipped", "running"]
"""``attention`` works, but not as it should; ``skipped`` could not be looked at; ``running`` will be well by
itself."""

#: Name of the check that looks at the predictions of open tasks.
OPEN_TASKS = "open-tasks"

Patient = TypeVar("Patient")
Patient_contra = TypeVar("Patient_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found at one link.

    Attributes:
        check: Name of the check, such as ``webhook``.
        title: What the link is called.
        state: How it is.
        found: What was seen.
        remedy: What to do; ``None`` where all is well.
    """

    check: str
    title: Words
    state: State
    found: Words
    remedy: Words | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What one check saw: a :class:`Finding` without the check's name."""

    state: State
    found: Words
    remedy: Words | None = None


@dataclass(frozen=True, slots=True)
class Check(Generic[Patient_contra]):
    """One link.

    Attributes:
        name: Its name, by which others need it.
        title: What people call it.
        look: Looks at it. What it raises of this project's errors is a finding too.
        needs: Names of the checks without which there is nothing to look at.
    """

    name: str
    title: Words
    look: Callable[[Patient_contra], Iterable[Seen]]
    needs: Sequence[str] = ()


def well(template: str, **values: object) -> Seen:
    """Return that all is well; ``template`` as in :func:`ml_backend.i18n.say`."""
    return Seen("well", say(template, **values))


def examine(checks: Iterable[Check[Patient]], patient: Patient) -> Iterator[Finding]:
    """Go through the checks in order, and give each finding as soon as it is there.

    A check whose needs are broken is skipped: what it would find follows from them.
    """
    broken: dict[str, Words] = {}
    for check in checks:
        cause = next((broken[name] for name in check.needs if name in broken), None)
        if cause is not None:
            broken[check.name] = cause
            seen: Iterable[Seen] = [Seen("skipped", say('Not looked at: first fix "{link}".', link=cause))]
        else:
            seen = _look(check, patient)
        for each in seen:
            if each.state == "broken":
                broken[check.name] = check.title
            yield Finding(check.name, check.title, each.state, each.found, each.remedy)


def worst(findings: Iterable[Finding]) -> State:
    """Return the worst of what was found; ``skipped`` follows from something broken, and does not count."""
    states = {finding.state for finding in findings}
    return next((state for state in ("broken", "attention") if state in states), "well")


def lacks_predictions(finding: Finding) -> bool:
    """Tell whether a finding is that open tasks have no prediction, or not yet."""
    return finding.check == OPEN_TASKS and finding.state in ("attention", "running")


def _look(check: Check[Patient], patient: Patient) -> list[Seen]:
    try:
        return list(check.look(patient))
    except BackendError as error:
        hint = say("{hint}", hint=error.hint) if error.hint else say("See the log of the backend.")
        return [Seen("broken", say("{error}", error=error.message), hint)]
    except ModelError as error:
        return [Seen("broken", say("{error}", error=error), say("See the log of the backend."))]
