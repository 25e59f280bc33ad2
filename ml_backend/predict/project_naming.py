"""How the fields of each project are named, in every process alike: looked up where its models are."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ml_backend.errors import BackendError, LabelConfigError
from ml_backend.label_studio.fields import name_fields
from ml_backend.label_studio.label_config import LabelConfig, parse_label_config
from ml_backend.observability.logs import get_logger
from ml_backend.predict.serving_models import ServingModels
from ml_backend.store.options import ProjectOptions
from ml_backend.store.project_heads import ProjectHeads, StoredHead
from model.errors import WeightsError
from model.extraction.field_concepts import concept_of
from model.extraction.project_head import ProjectFields
from model.extraction.project_naming import ProjectNaming
from model.pipeline import Pipeline

#: So long what is known of a project may be behind the store.
SECONDS = 1.0

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Known:
    """What was found of a project, of which serving models, and until when that need not be asked again."""

    serving: ServingModels[Pipeline]
    sources: tuple[str | None, str]
    adapted: ServingModels[Pipeline]
    until: float


class ProjectNamings:
    """Gives serving models a project's own way to name fields; threads may share it.

    Args:
        options: Knows the labelling configurations.
        heads: Knows what the documents have shown.
        clock: Monotonic seconds.
    """

    def __init__(
        self, options: ProjectOptions, heads: ProjectHeads, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._options = options
        self._heads = heads
        self._clock = clock
        self._known: dict[int, _Known] = {}
        self._lock = threading.Lock()

    def adapt(self, serving: ServingModels[Pipeline]) -> ServingModels[Pipeline]:
        """Return serving models that name a project's fields as its labels and its documents say.

        A store that does not answer leaves what was known before.
        """
        project_id = serving.project_id
        if project_id is None:
            return serving
        known = self._known.get(project_id)
        if known is not None and known.serving is serving and self._clock() < known.until:
            return known.adapted
        try:
            with self._lock:
                return self._looked_up(project_id, serving)
        except BackendError as error:
            _log.warning("project_naming_not_read", project=project_id, error=str(error))
            return known.adapted if known is not None and known.serving is serving else serving

    def _looked_up(self, project_id: int, serving: ServingModels[Pipeline]) -> ServingModels[Pipeline]:
        known = self._known.get(project_id)
        sources = (self._options.label_config(project_id), self._heads.stamp(project_id)[0])
        until = self._clock() + SECONDS
        if known is not None and known.serving is serving and known.sources == sources:
            self._known[project_id] = replace(known, until=until)
            return known.adapted
        adapted = self._adapted(project_id, serving, sources[0])
        self._known[project_id] = _Known(serving, sources, adapted, until)
        return adapted

    def _adapted(
        self, project_id: int, serving: ServingModels[Pipeline], label_config: str | None
    ) -> ServingModels[Pipeline]:
        try:
            config = None if label_config is None else parse_label_config(label_config)
        except LabelConfigError:
            config = None
        if config is None:
            return serving
        stored = self._heads.head(project_id)
        champion = naming_of(config, serving.champion, stored)
        challenger = serving.challenger and serving.challenger.for_project(naming_of(config, serving.challenger))
        previous = serving.previous and serving.previous.for_project(naming_of(config, serving.previous))
        return replace(
            serving,
            champion=serving.champion.for_project(champion),
            challenger=challenger,
            previous=previous,
            naming=_stamp(champion, stored),
        )


def project_fields(config: LabelConfig, known: Sequence[str]) -> ProjectFields:
    """Return the fields of a project, and what the names of those say that a model does not know.

    Args:
        config: The project's labelling configuration.
        known: Fields of the model.
    """
    labels = {label.value: label for target in config.targets for label in target.labels}
    names = name_fields(known, list(labels.values()))
    by_field = {field: labels[label] for label, field in names.of_labels.items()}
    concepts = {
        field: concept_of([label.value, label.title, *label.predicted_values])
        for field, label in by_field.items()
        if field not in known
    }
    return ProjectFields(names.fields, concepts, names.rename)


def naming_of(config: LabelConfig, pipeline: Pipeline, stored: StoredHead | None = None) -> ProjectNaming | None:
    """Return how a model names a project's fields; ``None`` where the model alone knows all that is known.

    Args:
        config: The project's labelling configuration.
        pipeline: The model.
        stored: What the project's documents have shown; passed over where it belongs to another version, or to other
            labels, until it is fitted again.
    """
    fields = project_fields(config, pipeline.fields)
    naming = None
    if stored is not None and stored.used and stored.version == pipeline.version:
        try:
            naming = ProjectNaming.from_bytes(fields, stored.data)
        except WeightsError as error:
            _log.error("project_head_unusable", project=stored.project_id, error=str(error))
    if naming is None and fields.concepts:
        naming = ProjectNaming(fields)
    return naming


def _stamp(naming: ProjectNaming | None, stored: StoredHead | None) -> str:
    """Name what a naming says: other fields or another head give another stamp, and the version alone none."""
    if naming is None:
        return ""
    head = stored.stamp if stored is not None and naming.head is not None else ""
    said = repr((naming.fields.fields, sorted(naming.fields.concepts), sorted(naming.fields.rename.items()), head))
    return hashlib.blake2b(said.encode(), digest_size=8).hexdigest()
