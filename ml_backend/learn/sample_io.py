"""Samples out of annotations, and annotations out of samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import groupby
from pathlib import Path
from typing import Any

from ml_backend.errors import ImageFetchError
from ml_backend.label_studio.convert import to_parts
from ml_backend.label_studio.fields import label_of
from ml_backend.label_studio.label_config import LabelConfig, Target
from ml_backend.label_studio.records import Task
from ml_backend.label_studio.regions import Region, read_result
from ml_backend.learn.annotation_sync import look_at
from ml_backend.learn.sample_files import SCHEME, BadLine, Block, Sample, SampleError, SampleFolder, read_samples
from ml_backend.learn.sample_images import SampleImages
from ml_backend.predict.task_predictor import ImageFetcher, NoImageError, page_urls
from ml_backend.store.annotations import LearningStore
from ml_backend.store.records import StoredAnnotation, choose
from model.document.images import image_key, load_image
from model.document.types import Box
from model.errors import ImageError

#: Imported samples without a task of their own get a number below 0 that follows from the image: 60 bits of its hash.
_KEY_DIGITS = 15


@dataclass(slots=True)
class Tally:
    """What became of samples.

    Attributes:
        done: How many were written or taken.
        present: How many are annotated in Label Studio already, and were therefore not taken.
        problems: What could not be used, and why.
    """

    done: int = 0
    present: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Largest image that is taken: bytes of the file, and pixels."""

    max_bytes: int
    max_pixels: int


class SampleWriter:
    """Writes what was annotated as samples.

    Args:
        learning: The annotations.
        images: Gets image files.
        folder: Where samples and images go.
        contacts_of: Asked what an application calls the documents of tasks, by project and tasks.
    """

    def __init__(
        self,
        learning: LearningStore,
        images: ImageFetcher,
        folder: SampleFolder,
        contacts_of: Callable[[int, Sequence[int]], Mapping[int, int | str]] = lambda _project, _tasks: {},
    ) -> None:
        self._contacts_of = contacts_of
        self._learning = learning
        self._images = images
        self._folder = folder

    def write(
        self, project_id: int, config: LabelConfig, on_progress: Callable[[], None] = lambda: None
    ) -> tuple[Path, Tally]:
        """Write a sample for each annotated image of a project, in place of what was written before.

        Args:
            project_id: The project.
            config: Its labelling configuration.
            on_progress: Called after each annotation.

        Returns:
            The file, and what became of the annotations.

        Raises:
            BackendError: If the store cannot be read, or the folder not written.
        """
        tally = Tally()
        chosen = choose(self._learning.heads(project_id))

        def samples() -> Iterator[dict[str, Any]]:
            for annotation in self._learning.annotations(sorted(head.id for head in chosen.values())):
                try:
                    yield from self._samples(annotation, config)
                except (ImageFetchError, NoImageError) as error:
                    tally.problems.append(f"task {annotation.task_id}: {error}")
                on_progress()

        tally.done = self._folder.write(project_id, samples())
        return self._folder.file(project_id), tally

    def _samples(self, annotation: StoredAnnotation, config: LabelConfig) -> Iterator[dict[str, Any]]:
        own = config.for_task(annotation.task_data)
        regions = read_result(annotation.result, own).regions
        task = Task(max(annotation.task_id, 0), annotation.project_id, annotation.task_data, is_labeled=True)
        contacts = self._contacts_of(annotation.project_id, [annotation.task_id])
        for page, url in page_urls(task, own).items():
            target = own.target(page.image)
            blocks = [block_of(region) for region in regions if region.page == page]
            if not blocks:
                continue
            imported = url.startswith(SCHEME)
            data = (
                self._folder.fetch(url)
                if imported
                else self._images.fetch(url, annotation.task_id, annotation.project_id)
            )
            yield {
                "image": self._folder.keep_image(annotation.project_id, data),
                "blocks": blocks,
                "annotated_at": annotation.updated_at.isoformat(),
                # Label Studio keeps it as text, whatever the application sent.
                "contact_id": contacts.get(annotation.task_id, annotation.task_data.get("contact_id")),
                "task_id": annotation.task_id,
                "project_id": annotation.project_id,
                **({"item_index": page.item_index} if target is not None and target.is_paged else {}),
            }


def block_of(region: Region) -> dict[str, Any]:
    """Describe a region as a block of a sample: coordinates in pixels, rounded to hundredths."""
    box = Box.of_polygon(region.polygon)
    block: dict[str, Any] = {
        "bbox": [round(edge, 2) for edge in (box.x0, box.y0, box.x1, box.y1)],
        "label": region.label,
        "text": region.text,
    }
    if set(region.polygon) != set(box.polygon()):
        block["polygon"] = [[round(x, 2), round(y, 2)] for x, y in region.polygon]
    return block


class SampleReader:
    """Takes samples for annotations.

    Args:
        learning: Where annotations are kept.
        folder: Where their images are kept.
        limits: Largest image that is taken.
    """

    def __init__(self, learning: LearningStore, folder: SampleFolder, limits: ImageLimits) -> None:
        self._learning = learning
        self._folder = folder
        self._limits = limits

    def take(
        self,
        file: Path,
        project_id: int,
        config: LabelConfig,
        on_progress: Callable[[], None] = lambda: None,
        *,
        place: str = "",
        fetch: Callable[[str], bytes] | None = None,
    ) -> Tally:
        """Take every sample of a file; one whose image was taken before replaces that one.

        What cannot be used is reported and passed over. Samples that were written out of this very project, and are
        still annotated there, are left alone: they would count twice.

        Args:
            file: See :mod:`ml_backend.learn.sample_files`.
            project_id: The project that they are for.
            config: Its labelling configuration.
            on_progress: Called after each line.
            place: Folder or address of the images; see :class:`ml_backend.learn.sample_images.SampleImages`.
            fetch: Gets an image by its address; ``None`` where none may be fetched.

        Raises:
            SampleError: If the file cannot be read.
            StoreError: If the store cannot be written.
        """
        tally = Tally()
        target = config.targets[0]
        images = SampleImages(file.parent, self._limits.max_bytes, place=place, fetch=fetch)
        annotated = {head.task_id for head in self._learning.heads(project_id)}
        for numbers, entry in _documents(read_samples(file), paged=target.is_paged):
            if isinstance(entry, BadLine):
                tally.problems.append(f"line {entry.number}: {entry.reason}")
            elif entry[0].project_id == project_id and entry[0].task_id in annotated and (entry[0].task_id or 0) > 0:
                tally.present += len(entry)
            else:
                where = f"line {numbers[0]}" if len(numbers) == 1 else f"lines {numbers[0]} to {numbers[-1]}"
                try:
                    annotation = self._annotation(entry, images, project_id, target)
                    self._learning.add_external(*look_at(annotation, config))
                    tally.done += len(entry)
                except (SampleError, ImageError) as error:
                    tally.problems.append(f"{where}: {error}")
                except (ValueError, OverflowError, RecursionError) as error:
                    # What a file holds is anybody's; the lines behind are not to blame.
                    tally.problems.append(f"{where}: it holds a value that cannot be used ({type(error).__name__})")
            for _ in numbers:
                on_progress()
        return tally

    def _annotation(
        self, samples: Sequence[Sample], images: SampleImages, project_id: int, target: Target
    ) -> StoredAnnotation:
        """Return the annotation of a document, a sample a page; its number follows from the first page."""
        named = {block.label for sample in samples for block in sample.blocks if block.label}
        labels = {name: label for name in named if (label := label_of(name, target.labels)) is not None}
        if unknown := sorted(named - set(labels)):
            raise SampleError(f"the project has no label {', '.join(unknown)}")
        urls: list[str] = []
        keys: list[str] = []
        result: list[Mapping[str, Any]] = []
        limits = {"max_bytes": self._limits.max_bytes, "max_pixels": self._limits.max_pixels}
        for item_index, sample in enumerate(samples):
            data = images.read(sample.image)
            height, width = load_image(data, **limits).shape[:2]
            urls.append(self._folder.address(project_id, self._folder.keep_image(project_id, data)))
            keys.append(image_key(data))
            blocks = [_with_label(block, labels) for block in sample.blocks]
            result += _result(blocks, target, width, height, item_index)
        first = samples[0]
        moment = first.annotated_at or datetime.now(timezone.utc)
        task_data: dict[str, Any] = target.task_data(urls)
        if first.contact_id is not None:
            task_data["contact_id"] = first.contact_id
        return StoredAnnotation(
            id=0,
            project_id=project_id,
            task_id=-int(keys[0][:_KEY_DIGITS], 16) - 1,
            completed_by=None,
            result=result,
            was_cancelled=False,
            ground_truth=False,
            created_at=moment,
            updated_at=moment,
            task_data=task_data,
            source="import",
        )


def _documents(
    lines: Iterable[tuple[int, Sample | BadLine]], *, paged: bool
) -> Iterator[tuple[list[int], tuple[Sample, ...] | BadLine]]:
    """Give the samples of each document, and the numbers of their lines.

    Where the project shows pages, the pages of a document are one: samples that follow each other and are of one task.
    """

    def document(line: tuple[int, Sample | BadLine]) -> object:
        number, sample = line
        if isinstance(sample, BadLine) or not paged or sample.item_index is None or sample.task_id is None:
            return number
        return sample.project_id, sample.task_id

    for _, group in groupby(lines, key=document):
        numbers, samples = [], []
        for number, sample in group:
            if isinstance(sample, BadLine):
                yield [number], sample
            else:
                numbers.append(number)
                samples.append(sample)
        if samples:
            yield numbers, tuple(sorted(samples, key=lambda sample: sample.item_index or 0))


def _result(
    blocks: Iterable[Block], target: Target, width: int, height: int, item_index: int
) -> Iterator[Mapping[str, Any]]:
    for index, block in enumerate(blocks):
        x0, y0, x1, y1 = block.bbox
        if x0 >= width or y0 >= height or x1 <= 0 or y1 <= 0:
            raise SampleError(f"block {index} lies outside the image of {width} × {height} pixels")
        outline = block.polygon or Box(*block.bbox).polygon()
        try:
            parts = to_parts(
                block.label,
                block.text,
                outline,
                target,
                region_id=f"block-{item_index}-{index}" if item_index else f"block-{index}",
                width=width,
                height=height,
                item_index=item_index,
            )
        except ValueError as error:
            raise SampleError(f"block {index} has no extent") from error
        yield from parts


def _with_label(block: Block, labels: Mapping[str, str]) -> Block:
    return block.model_copy(update={"label": labels[block.label] if block.label else None})
