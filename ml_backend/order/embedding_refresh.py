"""Have annotated documents seen by the version that scores the open ones: only then can they be compared."""

from __future__ import annotations

from dataclasses import dataclass

from ml_backend.order.candidates import CandidateSource
from ml_backend.predict.task_predictor import ModelSource
from ml_backend.predict.uncertainty import embedding_of
from ml_backend.store.rescorings import RescoringStore
from ml_backend.store.task_scores import TaskScores

#: Annotated documents that are looked at again in one go, the latest: some seconds.
MOST = 200


@dataclass(frozen=True, slots=True)
class EmbeddingRefresh:
    """Renews the embeddings of annotated documents; threads may share it.

    Attributes:
        models: Says who answers for a project.
        memory: Knows which files the tasks' images are.
        source: Knows which documents are annotated.
        scores: Keeps the embeddings.
    """

    models: ModelSource
    memory: RescoringStore
    source: CandidateSource
    scores: TaskScores

    def look(self, project_id: int, version: str) -> int:
        """Renew what a version has not seen, from kept readings alone; return how many documents it saw.

        Raises:
            StoreError: If the store cannot be read or written.
            EngineError: If an engine fails.
        """
        serving = self.models.serving(project_id)
        if serving.version != version:
            return 0
        tasks = self.source.unplaced(project_id, version)[-MOST:]
        known = self.memory.task_images(project_id, tasks)
        seen = {}
        for task in tasks:
            reader, _ = serving.of_task(task)[0]
            documents = [reader.revisit(image.image_key) for image in known.get(task, {}).values()]
            seen[task] = embedding_of(document for document in documents if document is not None)
        self.scores.remember_embeddings(project_id, version, seen)
        return len(seen)
