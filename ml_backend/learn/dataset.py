"""Collects what a project's annotations teach: pages with a tag a word, and lines with their transcripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ml_backend.errors import ImageFetchError
from ml_backend.label_studio.fields import FieldNames, name_fields
from ml_backend.label_studio.label_config import LabelConfig
from ml_backend.label_studio.records import Task
from ml_backend.label_studio.regions import read_result
from ml_backend.learn.annotation_sync import problem_of
from ml_backend.learn.page_source import PageSource, ProjectPages
from ml_backend.learn.skipped_regions import NO_LABEL
from ml_backend.learn.tagging import LineSample, PageMismatchError, fit_to_page, line_samples, tag_page
from ml_backend.observability.logs import get_logger
from ml_backend.predict.task_predictor import NoImageError, page_urls
from ml_backend.store.annotations import LearningStore
from ml_backend.store.records import StoredAnnotation, choose, fingerprint
from model.document.types import Page
from model.errors import ImageError

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LabelledDocument:
    """One annotated page.

    Attributes:
        task_id: Its task; below 0 for what was imported without one.
        annotation_id: The annotation of the task that counts.
        image: Name of the ``Image`` tag.
        item_index: Which page of the task, where the task has a list of them.
        image_key: Hash of the image file, under which its reading is kept.
        page: The words as the extractor sees them, segmented.
        tags: A BIO tag for each of ``page.words``.
        lines: Single lines of print with their transcripts.
        url: Where the image is.
        source: Where the annotation came from; its image is there too.
    """

    task_id: int
    annotation_id: int
    image: str
    image_key: str
    page: Page
    tags: tuple[str, ...]
    lines: tuple[LineSample, ...]
    url: str = ""
    source: str = ""
    item_index: int = 0
    ignored: int = 0
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """An annotation that cannot be used, and why."""

    task_id: int
    annotation_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class Collected:
    """What a project has to teach.

    Attributes:
        examples: In the order of their annotations' numbers; several of one task where it has several images or pages.
        problems: What could not be used.
        digests: By task, the digest of the annotation, for the documents among the examples.
        names: Which field each label stands for.
        skipped: How many regions cannot be used, by the reason.
        ignored: How many words are left out for that.
    """

    examples: tuple[LabelledDocument, ...]
    problems: tuple[Problem, ...]
    digests: Mapping[int, str]
    names: FieldNames
    skipped: Mapping[str, int] = field(default_factory=dict)
    ignored: int = 0

    @property
    def fingerprint(self) -> str:
        """Names what the examples were made of."""
        return fingerprint(self.digests)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of the project, in the order of its labels."""
        return self.names.fields

    @property
    def rename(self) -> Mapping[str, str]:
        """Fields of the model without a label of their own, and the field that each is part of in this project."""
        return self.names.rename


class Collector:
    """Makes examples of annotations.

    Args:
        learning: The annotations.
        pages: Gets the pages below them.
    """

    def __init__(self, learning: LearningStore, pages: PageSource) -> None:
        self._learning = learning
        self._pages = pages

    def collect(
        self,
        project_id: int,
        config: LabelConfig,
        fields: Sequence[str],
        on_progress: Callable[[int, int], None] = lambda _done, _all: None,
    ) -> Collected:
        """Return what a project has to teach now.

        Why the page below an annotation could not be read is noted in the store, and forgotten once it can.

        Args:
            project_id: The project.
            config: Its labelling configuration.
            fields: The fields of the model that is to be trained.
            on_progress: Called with the number of documents that were looked at, and of all.

        Raises:
            BackendError: If the store or Label Studio does not answer.
            EngineError: If the OCR engine fails.
        """
        chosen = choose(self._learning.heads(project_id))
        numbers = sorted(head.id for head in chosen.values())
        pages = self._pages.of_project(project_id, chosen)
        examples: list[LabelledDocument] = []
        problems: dict[int, Problem] = {}
        lost: list[Problem] = []
        page_problems: dict[int, str | None] = {}
        labels = {label.value: label for label in config.labels}
        for done, annotation in enumerate(self._learning.annotations(numbers)):
            on_progress(done, len(chosen))
            own = config.for_task(annotation.task_data)
            labels |= {label.value: label for label in own.labels}
            problem, page_problem = problem_of(annotation.result, own), None
            if problem is None:
                try:
                    found, failed = _documents(annotation, own, fields, pages)
                except NoImageError as error:
                    problem = page_problem = str(error)
                else:
                    examples += found
                    # What can be learned from the other pages of a document is.
                    lost += [Problem(annotation.task_id, annotation.id, reason) for reason in failed if found]
                    if failed and not found:
                        problem = page_problem = failed[0]
                    elif not found:
                        problem = "Its regions are on other images than the task's."
            if page_problem != annotation.page_problem:
                page_problems[annotation.id] = page_problem
            if problem is not None:
                problems[annotation.id] = Problem(annotation.task_id, annotation.id, problem)
        pages.refuse_outage()
        on_progress(len(chosen), len(chosen))
        self._learning.set_page_problems(page_problems)
        skipped = Counter(reason for example in examples for reason in example.skipped)
        ignored = sum(example.ignored for example in examples)
        _log.info(
            "samples_collected",
            project=project_id,
            examples=len(examples),
            problems=len(problems),
            regions_skipped=skipped.total(),
            words_ignored=ignored,
        )
        if skipped:
            _log.warning("regions_skipped", project=project_id, reasons=dict(skipped))
        return Collected(
            tuple(examples),
            (*problems.values(), *lost),
            {task: head.digest for task, head in chosen.items() if head.id not in problems},
            name_fields(fields, list(labels.values())),
            skipped,
            ignored,
        )


def _documents(
    annotation: StoredAnnotation, config: LabelConfig, fields: Sequence[str], pages: ProjectPages
) -> tuple[list[LabelledDocument], list[str]]:
    """Return a document for each page of a task that regions were drawn on, and why there is none for the others.

    Raises:
        NoImageError: If the task has no image.
    """
    read = read_result(annotation.result, config)
    documents, failed = [], []
    for which, url in page_urls(_task_of(annotation), config).items():
        target = config.target(which.image)
        on_page = [region for region in read.regions if region.page == which]
        # Only the image itself says how large it is.
        without_size = [region for region in read.skipped if region.needs_size and region.page == which]
        if target is None or not (on_page or without_size):
            continue
        try:
            key, page = pages.page(annotation, which, url)
            whole = read
            if without_size:
                whole = read_result(annotation.result, config, {which: (page.width, page.height)})
            fitted = fit_to_page([region for region in whole.regions if region.page == which], page)
        except (PageMismatchError, ImageError, ImageFetchError) as error:
            failed.append(f"Page {which.item_index + 1}: {error}" if target.is_paged else str(error))
            continue
        skipped = [each for each in whole.skipped if each.page in (None, which) and not each.is_elsewhere]
        known = name_fields(fields, target.labels).known
        tagged = tag_page(page, fitted, known, skipped)
        reasons = [each.reason for each in skipped]
        reasons += [NO_LABEL for region in fitted if region.label not in (None, *known)]
        documents.append(
            LabelledDocument(
                annotation.task_id,
                annotation.id,
                which.image,
                key,
                tagged.page,
                tagged.tags,
                line_samples(page, fitted),
                url,
                annotation.source,
                which.item_index,
                tagged.ignored,
                tuple(reasons),
            )
        )
    return documents, failed


def _task_of(annotation: StoredAnnotation) -> Task:
    return Task(max(annotation.task_id, 0), annotation.project_id, annotation.task_data, is_labeled=True)
