"""Which lines of a page a new recogniser could read otherwise than the one that read it before.

Outlines do not depend on the recogniser, and most lines are read alike by both. What is known about that stems from
lines that both have read while the new one was made: a line is read again where its reading holds a character that the
two read differently, or where the old one was not sure enough of it. See :func:`learn_step` for the numbers.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from rapidfuzz.distance import Levenshtein

from model.document.types import Line, Page
from model.errors import RecogniserError
from model.recognition.charset import readable

FILE = "rereading.json"
"""Name of the file in the folder of a model version."""

#: Of the lines that are not read again, so many may be read otherwise, on the lines at hand.
MOST_MISSED = 0.005
#: From one of these shares of the lines with a character on, the character counts as read differently.
_LEAST_RATES = (0.02, 0.05, 0.1, 0.2, 0.5)
#: So many steps back, pages of earlier recognisers are taken over.
_MOST_STEPS = 5


@dataclass(frozen=True, slots=True)
class ReadTwice:
    """One line as two recognisers read it.

    Attributes:
        before: What the earlier one read.
        score: How sure it was, in ``[0, 1]``.
        after: What the later one read.
    """

    before: str
    score: float
    after: str


@dataclass(frozen=True, slots=True)
class Step:
    """What changed from one recogniser to a later one.

    Attributes:
        engine_version: The engine with the earlier one.
        characters: Lines in which it read one of these are read again.
        sure: Lines of which it was less sure, in ``[0, 1]``, are read again; above 1, all are.
    """

    engine_version: str
    characters: frozenset[str]
    sure: float

    def concerns(self, text: str, score: float) -> bool:
        """Tell whether a line that the earlier recogniser read is to be read again."""
        return score < self.sure or not self.characters.isdisjoint(text)

    def concerned(self, page: Page) -> list[int]:
        """Return the indexes of the lines of a page that are to be read again."""
        return [index for index, line in enumerate(page.lines) if self._concerns(line)]

    def _concerns(self, line: Line) -> bool:
        return self.concerns(line.text, line.score)


def learn_step(engine_version: str, lines: Sequence[ReadTwice]) -> Step:
    """Find out from lines that two recognisers have read which other lines both will read alike.

    A character counts as read differently if that happened in some share of the lines that hold it. Of the lines
    without such a character, the least score is taken from which on at most :data:`MOST_MISSED` were read otherwise. Of
    several shares that one counts with which the fewest lines are read again.

    Args:
        engine_version: The engine with the earlier recogniser.
        lines: As many and as various as there are; without any, everything is read again.
    """
    if not lines:
        return Step(engine_version, frozenset(), 2.0)
    present: Counter[str] = Counter()
    changed: Counter[str] = Counter()
    for line in lines:
        before = readable(line.before)
        present.update(set(before))
        changed.update(_lost(before, readable(line.after)))
    rates = {c: count / present[c] for c, count in changed.items() if c != " "}
    steps = []
    for least in _LEAST_RATES:
        characters = frozenset(c for c, rate in rates.items() if rate >= least)
        steps.append(Step(engine_version, characters, _sure(lines, characters)))
    return min(steps, key=lambda step: sum(step.concerns(line.before, line.score) for line in lines))


def _sure(lines: Sequence[ReadTwice], characters: frozenset[str]) -> float:
    """Return the least score from which on lines without these characters were read alike."""
    rest = sorted(
        (line.score, readable(line.before) != readable(line.after))
        for line in lines
        if characters.isdisjoint(line.before)
    )
    sure, missed, seen = 2.0, 0, 0
    for score, same in groupby(reversed(rest), key=lambda pair: pair[0]):
        differs = [different for _, different in same]
        missed, seen = missed + sum(differs), seen + len(differs)
        if missed <= MOST_MISSED * seen:
            sure = float(score)
    return sure


def _lost(before: str, after: str) -> set[str]:
    """Return the characters that are gone from a line, or replaced."""
    edits = Levenshtein.editops(before, after)
    return {before[edit.src_pos] for edit in edits if edit.tag != "insert"}


def chained(step: Step, earlier: Sequence[Step]) -> tuple[Step, ...]:
    """Return the way back over several recognisers: a line is kept where none of them could read it otherwise."""
    longer = (
        Step(each.engine_version, each.characters | step.characters, max(each.sure, step.sure)) for each in earlier
    )
    return (step, *longer)[:_MOST_STEPS]


def save_steps(steps: Sequence[Step], folder: Path) -> None:
    """Write steps into a model version's folder."""
    rows = [
        {"engine": step.engine_version, "characters": "".join(sorted(step.characters)), "sure": step.sure}
        for step in steps
    ]
    (folder / FILE).write_text(json.dumps({"format": 1, "steps": rows}, ensure_ascii=False) + "\n", "utf-8")


def load_steps(folder: Path) -> tuple[Step, ...]:
    """Return the steps of a model version; none where it has no recogniser of its own.

    Raises:
        RecogniserError: If the file is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return ()
    try:
        content = json.loads(path.read_text("utf-8"))
        rows = content["steps"] if content["format"] == 1 else []
        return tuple(Step(str(row["engine"]), frozenset(row["characters"]), float(row["sure"])) for row in rows)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecogniserError(f"{path} is damaged.") from error


def differ_in_models_alone(one: str, other: str) -> bool:
    """Tell by their versions whether two engines find the same lines on a page, and differ in how they read them."""
    return one.rpartition("-")[0] == other.rpartition("-")[0]
