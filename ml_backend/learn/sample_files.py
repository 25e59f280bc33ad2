"""Training samples as files: what ``collect`` writes, and ``import`` reads.

A project has a folder: ``samples.jsonl``, one sample a line, and ``images/``, where each file is named by the hash of
its content. A sample is an object:

``image``
    Path of the image, from the folder of the file, or absolute; or its address in the application that wrote it, see
    :mod:`ml_backend.learn.sample_images`.
``blocks``
    List of ``{"bbox": [x0, y0, x1, y1], "label": …, "text": …}``, in pixels of the upright image; ``bbox`` may be
    ``{"x", "y", "width", "height"}`` as well; with ``polygon`` (``[[x, y], …]``) where the region is no upright
    rectangle. ``label`` and ``text`` may be null or missing.
``annotated_at``, ``contact_id``, ``task_id``, ``project_id``
    When it was annotated (ISO 8601), and what it belongs to elsewhere; may be null or missing.
``item_index``
    Which page of its document it is, from 0; null or missing where the document is one image.
"""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from typing_extensions import Self

from ml_backend.errors import BackendError, ImageFetchError
from ml_backend.store.atomic_write import replacing
from model.document.formats import format_of
from model.document.images import image_key

SAMPLES = "samples.jsonl"
IMAGES = "images"
#: Addresses of imported images in task data begin with this; the project's number and the file's name follow.
SCHEME = "imported:"
#: No coordinate is beyond this, so that products of two stay finite.
_LARGEST = 1e9
#: Numbers beyond this fit no database.
_LARGEST_ID = 2**63 - 1


class SampleError(BackendError):
    """A sample, or a file of samples, that cannot be read or written."""

    status = 422


class Block(BaseModel):
    """One region of a sample.

    Attributes:
        bbox: Left, top, right, bottom in pixels of the upright image.
        label: Its label in the project's configuration; ``None`` for text of no field.
        text: What it says; ``None`` where nobody said.
        polygon: Its outline in pixels, clockwise from the corner where reading starts; ``None`` for the box itself.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    bbox: tuple[float, float, float, float]
    label: str | None = None
    text: str | None = None
    polygon: tuple[tuple[float, float], ...] | None = Field(default=None, min_length=3)

    @field_validator("bbox", mode="before")
    @classmethod
    def _of_size(cls, value: object) -> object:
        """Take a corner with width and height for a box."""
        if isinstance(value, dict):
            x, y, width, height = (_plain_number(value.get(key)) for key in ("x", "y", "width", "height"))
            return (x, y, x + width, y + height)
        return value

    @model_validator(mode="after")
    def _has_extent(self) -> Self:
        x0, y0, x1, y1 = self.bbox
        numbers = (*self.bbox, *(number for point in self.polygon or () for number in point))
        if not all(abs(number) < _LARGEST for number in numbers):
            raise ValueError("a coordinate is no number that a page has")
        if x0 >= x1 or y0 >= y1:
            raise ValueError("bbox must be [left, top, right, bottom], with right and bottom the larger")
        return self


def _plain_number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("x, y, width and height must be numbers")
    return float(value)


class Sample(BaseModel):
    """One annotated image; see the module's description."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    image: str = Field(min_length=1)
    blocks: tuple[Block, ...]
    annotated_at: datetime | None = None
    contact_id: str | int | None = None
    task_id: int | None = Field(default=None, ge=-_LARGEST_ID, le=_LARGEST_ID)
    project_id: int | None = Field(default=None, ge=-_LARGEST_ID, le=_LARGEST_ID)
    item_index: int | None = Field(default=None, ge=0, le=_LARGEST_ID)

    @field_validator("annotated_at")
    @classmethod
    def _in_utc(cls, value: datetime | None) -> datetime | None:
        """Take a time without a zone for UTC."""
        if value is None:
            return None
        try:
            return value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)
        except OverflowError as error:
            raise ValueError("the time lies beyond the calendar in UTC") from error


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that holds no sample, and why."""

    number: int
    reason: str


def read_samples(path: Path) -> Iterator[tuple[int, Sample | BadLine]]:
    """Go through a file of samples, with the number of each line; blank lines are passed over.

    A whole file that is one JSON list of samples is read too.

    Raises:
        SampleError: If the file cannot be read.
    """
    try:
        if not path.is_file() and path.exists():
            # Opening a pipe waits until something is written to it.
            raise SampleError(f"{path} cannot be read: it is no file.")
        with path.open("rb") as file:
            start = file.read(len(BOM_UTF8) + 1).removeprefix(BOM_UTF8)[:1]
            file.seek(0)
            entries: Iterable[tuple[int, Any]]
            if start == b"[":
                entries = enumerate(json.loads(file.read()), 1)
            else:
                entries = ((number, line) for number, line in enumerate(file, 1) if line.strip())
            for number, entry in entries:
                yield number, _parse(number, entry)
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no JSON in UTF-8"
        raise SampleError(f"{path} cannot be read: {reason}.") from error


def _parse(number: int, entry: object) -> Sample | BadLine:
    try:
        return Sample.model_validate(json.loads(entry.decode("utf-8-sig")) if isinstance(entry, bytes) else entry)
    except json.JSONDecodeError as error:
        return BadLine(number, f"it is not JSON (column {error.colno})")
    except UnicodeDecodeError:
        return BadLine(number, "it is not UTF-8")
    except ValidationError as error:
        # The library's own message quotes the values, and with them the document.
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the line"
        return BadLine(number, f"{where}: {first['msg'][0].lower()}{first['msg'][1:]}")
    except RecursionError:
        return BadLine(number, "it is nested too deeply")
    except (ValueError, OverflowError):
        return BadLine(number, "it holds a number that is too large")


class SampleFolder:
    """The samples of all projects, below one folder.

    Args:
        root: ``TRAINING_DATA_DIR``.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def file(self, project_id: int) -> Path:
        """Return where the samples of a project are written."""
        return self._root / str(project_id) / SAMPLES

    def write(self, project_id: int, samples: Iterable[Mapping[str, Any]]) -> int:
        """Write a project's samples in place of those that were there, all or none; return how many.

        Raises:
            SampleError: If they cannot be written.
        """
        count = 0
        try:
            with replacing(self.file(project_id)) as file:
                for sample in samples:
                    file.write(
                        (json.dumps(sample, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8", "replace")
                    )
                    count += 1
        except OSError as error:
            raise _not_written(self.file(project_id), error) from error
        return count

    def keep_image(self, project_id: int, data: bytes) -> str:
        """Keep an image file, and return its path from the project's folder; the same content is kept once.

        Raises:
            SampleError: If it cannot be written.
        """
        kind = format_of(data)
        suffix = kind.suffixes[0] if kind is not None else ".bin"
        name = f"{IMAGES}/{image_key(data)}{suffix}"
        path = self._root / str(project_id) / name
        if not path.exists():
            try:
                with replacing(path) as file:
                    file.write(data)
            except OSError as error:
                raise _not_written(path, error) from error
        return name

    def address(self, project_id: int, name: str) -> str:
        """Return what stands in task data for a kept image."""
        return f"{SCHEME}{project_id}/{name}"

    def fetch(self, address: str) -> bytes:
        """Return the kept image that :meth:`address` stands for.

        Raises:
            ImageFetchError: If it is gone, or the address leads elsewhere.
        """
        project, _, name = address.removeprefix(SCHEME).partition("/")
        folder, _, file = name.partition("/")
        if not address.startswith(SCHEME) or not project.isdigit() or folder != IMAGES or file != Path(file).name:
            raise ImageFetchError("The image's address is not that of an imported image.")
        try:
            return (self._root / project / IMAGES / file).read_bytes()
        except OSError as error:
            raise ImageFetchError(f"The imported image cannot be read: {error.strerror}.") from error


def _not_written(path: Path, error: OSError) -> SampleError:
    return SampleError(f"{path} cannot be written: {error.strerror}.", "Check free space and TRAINING_DATA_DIR.")
