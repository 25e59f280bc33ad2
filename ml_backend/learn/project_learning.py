"""Learning in seconds: after each annotation, what a project's documents show is fitted again."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone

from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.learn.dataset import Collector, LabelledDocument
from ml_backend.observability.logs import get_logger
from ml_backend.predict.project_naming import project_fields
from ml_backend.predict.task_predictor import ModelSource
from ml_backend.store.annotations import LearningStore
from ml_backend.store.options import ProjectOptions
from ml_backend.store.project_heads import ProjectHeads, StoredHead
from ml_backend.store.records import choose, fingerprint
from model.extraction.project_head import ProjectFields, View
from model.extraction.project_naming import learn
from model.pipeline import Pipeline

#: Most documents that a head is fitted to, the latest; from some fifty on the network learns from all of them.
MOST_DOCUMENTS = 150
#: Pages whose features are kept in memory, some 100 kB each.
_KEPT_PAGES = 400

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ProjectLearner:
    """Fits the heads of projects; for one thread at a time.

    Attributes:
        label_studio: Knows the labelling configurations.
        models: Says which models serve a project.
        learning: The annotations.
        collector: Makes labelled documents of them.
        heads: Keeps what was learned.
        options: Keeps the labelling configurations.
        learned: Asked, by project and version, for the tasks that the version itself was trained on: of these the
            network would know more than it does of new ones.
    """

    label_studio: LabelStudio
    models: ModelSource
    learning: LearningStore
    collector: Collector
    heads: ProjectHeads
    options: ProjectOptions
    learned: Callable[[int, str], Collection[int]] = lambda _project, _version: ()
    views: OrderedDict[tuple[str, str, tuple[str, ...]], View] = field(default_factory=OrderedDict)

    def learn(self, project_id: int) -> str:
        """Fit a project's head to its annotations as they are now; safe to repeat.

        Returns:
            What came of it, in a few words.

        Raises:
            BackendError: If Label Studio or the store does not answer.
            EngineError: If an image must be read again and the engine fails.
        """
        label_config = self.label_studio.project(project_id).label_config
        config = parse_label_config(label_config)
        self.options.remember_label_config(project_id, label_config)
        pipeline = self.models.serving(project_id).champion
        assert isinstance(pipeline, Pipeline)
        fields = project_fields(config, pipeline.fields)
        chosen = choose(self.learning.heads(project_id))
        trained = set(self.learned(project_id, pipeline.version))
        digests = {task: head.digest for task, head in chosen.items() if head.problem is None and task not in trained}
        newest = sorted(digests, key=lambda task: chosen[task].id)[-MOST_DOCUMENTS:]
        said = (pipeline.version, fields.fields, sorted(fields.concepts), fingerprint({t: digests[t] for t in newest}))
        name = hashlib.sha256(repr(said).encode()).hexdigest()
        if self.heads.stamp(project_id)[1] == name:
            return "nothing new"
        collected = self.collector.collect(project_id, config, pipeline.fields)
        documents = _by_task(collected.examples, newest)
        if not documents or not fields.fields:
            self.heads.forget(project_id)
            return "nothing to learn from"
        pages = [[(self._view(each, fields, pipeline), each.tags) for each in pages] for pages in documents]
        found = learn(fields, pages, pipeline.extractor.committee)
        checked = found.checked
        data = found.to_bytes(fields)
        self.heads.save(
            StoredHead(
                project_id,
                pipeline.version,
                name,
                hashlib.blake2b(pipeline.version.encode() + data, digest_size=8).hexdigest(),
                len(documents),
                found.helps,
                None if checked is None else checked.before,
                None if checked is None else checked.after,
                data,
                datetime.now(timezone.utc),
            )
        )
        outcome: dict[str, float] = {"documents": len(documents), "used": found.helps}
        if checked is not None:
            outcome |= {"before": round(checked.before, 3), "after": round(checked.after, 3)}
        _log.info("project_learned", project=project_id, version=pipeline.version, **outcome)
        return f"learned from {len(documents)} documents, " + ("used" if found.helps else "not used")

    def _view(self, document: LabelledDocument, fields: ProjectFields, pipeline: Pipeline) -> View:
        """Return what is known of a page before its annotation, from memory where it was looked at before."""
        place = f"{document.annotation_id} {document.image_key} {document.image} {document.item_index}"
        key = (place, pipeline.version, (*fields.fields, *fields.concepts))
        view = self.views.get(key)
        if view is None or len(view.page.words) != len(document.page.words):
            opinion = pipeline.extractor.extract(document.page)
            view = self.views[key] = fields.view(document.page, opinion.probabilities, pipeline.extractor.tags)
            while len(self.views) > _KEPT_PAGES:
                self.views.popitem(last=False)
        self.views.move_to_end(key)
        return view


def _by_task(examples: Sequence[LabelledDocument], tasks: Collection[int]) -> list[list[LabelledDocument]]:
    """Return the pages with words of each task."""
    wanted = set(tasks)
    found: dict[int, list[LabelledDocument]] = {}
    for each in examples:
        if each.task_id in wanted and each.page.words:
            found.setdefault(each.task_id, []).append(each)
    return list(found.values())


def trained_tasks(learned: Mapping[int, str], held_out: Collection[int]) -> frozenset[int]:
    """Return the tasks that a version was trained on: those of its run that were not kept for the gate."""
    return frozenset(learned) - frozenset(held_out)
