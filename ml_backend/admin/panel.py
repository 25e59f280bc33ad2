"""What the panel's pages work with."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine

from ml_backend.admin.actions import ActionRunner
from ml_backend.admin.panel_actions import PanelActions
from ml_backend.admin.queries import Queries
from ml_backend.admin.thumbnails import Thumbnails
from ml_backend.order.recommendations import Recommender
from ml_backend.order.stopping_advice import Adviser
from ml_backend.quality.patterns import Patterns
from ml_backend.settings import Settings
from ml_backend.store.label_errors import LabelErrors


@dataclass(frozen=True, slots=True)
class Panel:
    """What the pages work with.

    Attributes:
        settings: The backend's.
        engine: The store's database, for the doctor.
        queries: Gathers what is shown.
        runner: Runs what buttons start.
        actions: What the buttons do.
        pictures: Thumbnails and crops.
        recommender: Says what to look at next.
        patterns: Finds what corrections have in common.
        label_errors: Annotated tasks whose labels may be wrong.
        adviser: Says whether to go on annotating.
    """

    settings: Settings
    engine: Engine
    queries: Queries
    runner: ActionRunner
    actions: PanelActions
    pictures: Thumbnails
    recommender: Recommender
    patterns: Patterns
    label_errors: LabelErrors
    adviser: Adviser
