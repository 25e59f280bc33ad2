"""Counts the regions of a project's annotations that cannot be used, by the reason."""

from __future__ import annotations

from collections import Counter

from ml_backend.label_studio.label_config import LabelConfig
from ml_backend.label_studio.regions import read_result
from ml_backend.store.annotations import LearningStore
from ml_backend.store.records import choose

#: Annotations that are looked at: the latest.
LATEST = 500
#: Why a region with a label is of no use that the configuration does not have.
NO_LABEL = "the project does not have its label any more"


def count_skipped(learning: LearningStore, project_id: int, config: LabelConfig) -> Counter[str]:
    """Return how many regions cannot be used, by the reason; the words below them are not learned from.

    Those that lack only the size of their image are not among them: the image says it when it is read.

    Args:
        learning: The annotations.
        project_id: The project.
        config: Its labelling configuration.

    Raises:
        StoreError: If the store cannot be read.
    """
    counts: Counter[str] = Counter()
    numbers = sorted(head.id for head in choose(learning.heads(project_id)).values())[-LATEST:]
    for annotation in learning.annotations(numbers):
        own = config.for_task(annotation.task_data)
        labels = {label.value for label in own.labels}
        read = read_result(annotation.result, own)
        counts.update(each.reason for each in read.skipped if not (each.is_elsewhere or each.needs_size))
        counts[NO_LABEL] += sum(region.label not in (None, *labels) for region in read.regions)
    return +counts
