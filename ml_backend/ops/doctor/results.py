"""What an examination finds, and how it goes through its checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from ml_backend.errors import BackendError
from ml_backend.i18n import Words, say
from model.errors import ModelError

State = Literal["ok", "warning", "error", "skipped", "running"]
"""``warning`` works, but not as it should; ``skipped`` could not be looked at; ``running`` will be well by
itself."""

#: Name of the check that looks at the predictions of open tasks.
OPEN_TASKS = "open-tasks"

Target = TypeVar("Target")
Target_contra = TypeVar("Target_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class CheckResult:
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
class Observation:
    """What one check saw: a :class:`CheckResult` without the check's name."""

    state: State
    found: Words
    remedy: Words | None = None


@dataclass(frozen=True, slots=True)
class Check(Generic[Target_contra]):
    """One link.

    Attributes:
        name: Its name, by which others need it.
        title: What people call it.
        look: Looks at it. What it raises of this project's errors is a result too.
        needs: Names of the checks without which there is nothing to look at.
    """

    name: str
    title: Words
    look: Callable[[Target_contra], Iterable[Observation]]
    needs: Sequence[str] = ()


def ok(template: str, **values: object) -> Observation:
    """Return that all is well; ``template`` as in :func:`ml_backend.i18n.say`."""
    return Observation("ok", say(template, **values))


def examine(checks: Iterable[Check[Target]], target: Target) -> Iterator[CheckResult]:
    """Go through the checks in order, and give each result as soon as it is there.

    A check whose needs are broken is skipped: what it would find follows from them.
    """
    broken: dict[str, Words] = {}
    for check in checks:
        cause = next((broken[name] for name in check.needs if name in broken), None)
        if cause is not None:
            broken[check.name] = cause
            seen: Iterable[Observation] = [
                Observation("skipped", say('Not looked at: first fix "{link}".', link=cause))
            ]
        else:
            seen = _look(check, target)
        for each in seen:
            if each.state == "error":
                broken[check.name] = check.title
            yield CheckResult(check.name, check.title, each.state, each.found, each.remedy)


def worst(results: Iterable[CheckResult]) -> State:
    """Return the worst of what was found; ``skipped`` follows from something broken, and does not count."""
    states = {result.state for result in results}
    return next((state for state in ("error", "warning") if state in states), "ok")


def lacks_predictions(result: CheckResult) -> bool:
    """Tell whether a result is that open tasks have no prediction, or not yet."""
    return result.check == OPEN_TASKS and result.state in ("warning", "running")


def _look(check: Check[Target], target: Target) -> list[Observation]:
    try:
        return list(check.look(target))
    except BackendError as error:
        hint = say("{hint}", hint=error.hint) if error.hint else say("See the log of the backend.")
        return [Observation("error", say("{error}", error=error.message), hint)]
    except ModelError as error:
        return [Observation("error", say("{error}", error=error), say("See the log of the backend."))]
