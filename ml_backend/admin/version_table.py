"""Versions side by side: which one serves, what the gate said, and how each does a field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ml_backend.admin.history import TOTALS, field_scores
from ml_backend.admin.queries import Queries
from ml_backend.label_studio.fields import own_name, own_words
from ml_backend.learn.live_metrics import Difference, VersionScore, compare, score
from ml_backend.learn.promotion import cer_of, reason_of
from ml_backend.predict.serving_models import SHIPPED
from ml_backend.store.runs import Promotion
from model.registry.versions import Version

#: Versions that are compared a field unless others are asked for.
COMPARED = 3


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version.

    Attributes:
        number: The registry's; 0 for the weights that ship.
        version: ``None`` for the weights that ship.
        role: ``champion``, ``challenger``, or nothing.
        live: How it does while people work with it.
        cer: Character error rate on held-out lines, a share; ``None`` where none was measured.
        reason: What the gate said; empty for nothing.
    """

    number: int
    version: Version | None
    role: str
    live: VersionScore | None
    cer: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class VersionTable:
    """All that the page on versions shows.

    Attributes:
        rows: Newest first, the weights that ship last.
        seen: Number of the version that serves; 0 for the weights that ship.
        before: What a rollback would bring back; ``None`` where there is nothing to go back to.
        compared: Numbers of the versions that are compared a field.
        fields: A field each: its name, and F1 by version.
        promotions: Newest first.
        difference: Between champion and challenger, in corrections per document.
    """

    rows: Sequence[VersionRow]
    seen: int
    before: int | None
    compared: Sequence[int]
    fields: Sequence[tuple[str, dict[int, float]]]
    promotions: Sequence[Promotion]
    difference: Difference | None


def compare_versions(queries: Queries, project_id: int, wanted: Sequence[int] = ()) -> VersionTable:
    """Gather a project's versions.

    Args:
        queries: Where they are.
        project_id: The project.
        wanted: Numbers of the versions to compare a field; those in use and the latest where none is given.

    Raises:
        BackendError: If the store cannot be read.
        ModelError: If MLflow cannot be read.
    """
    versions, labels = queries.versions(project_id), queries.labels(project_id)
    champion, challenger = queries.registry.champion(project_id), queries.registry.challenger(project_id)
    seen = champion.number if champion else SHIPPED
    found = queries.outcomes(project_id)
    live = score(found)
    rows = [
        VersionRow(
            each.number,
            each,
            _role(each, champion, challenger),
            live.get(each.number),
            cer_of(each),
            own_words(reason_of(each), labels),
        )
        for each in versions
    ]
    rows.append(VersionRow(SHIPPED, None, "" if champion else "champion", live.get(SHIPPED)))
    used = [each.number for each in (challenger, champion) if each is not None]
    latest = [version.number for version in versions]
    compared = [n for n in latest if n in wanted] or sorted({*used, *latest[:COMPARED]}, reverse=True)[:COMPARED]
    table: dict[str, dict[int, float]] = {}
    for version in versions:
        if version.number in compared:
            for each in field_scores(queries.tracking, version):
                name = each.field if each.field in TOTALS else own_name(each.field, labels)
                table.setdefault(name, {})[version.number] = each.version
    promotions = [replace(each, reason=own_words(each.reason, labels)) for each in queries.promotions(project_id)]
    brought = next((each for each in promotions[::-1] if champion and each.version == champion.number), None)
    before = (brought.previous or SHIPPED) if brought else None
    rival = challenger.number if challenger else None
    difference = None
    if rival is not None:
        sides = [[o for o in found if o.version == number] for number in (seen, rival)]
        difference = compare(sides[0], sides[1], np.random.default_rng(0))
    return VersionTable(rows, seen, before, compared, list(table.items()), promotions, difference)


def _role(version: Version, champion: Version | None, challenger: Version | None) -> str:
    if champion is not None and version.number == champion.number:
        return "champion"
    return "challenger" if challenger is not None and version.number == challenger.number else ""
