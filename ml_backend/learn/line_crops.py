"""Lines that people have confirmed or corrected, cut out of their images once and kept as small files.

Images are fetched only for lines that are new; neither they nor the crops ever reach the database. What belongs to
annotations that are gone is removed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ml_backend.errors import BackendError, ImageFetchError
from ml_backend.learn.dataset import LabelledDocument
from ml_backend.learn.page_source import ImportedImage
from ml_backend.learn.sample_files import SCHEME
from ml_backend.learn.tagging import LineSample
from ml_backend.observability.logs import get_logger
from ml_backend.predict.task_predictor import ImageFetcher
from ml_backend.store.atomic_write import replacing
from model.document.images import RgbImage, crop, image_key, load_image
from model.errors import ImageError
from model.recognition.augmentation import augment_crop
from model.recognition.backbone import LineFeatures
from model.recognition.charset import readable
from model.recognition.graph import FloatArray

#: How strongly the few real crops are changed; rendered lines get 1.
_STRENGTH = 0.5

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TrainingLine:
    """One line and what a person says that it says.

    Attributes:
        task_id: Its task.
        key: Names its crop within the project.
        text: NFC, with plain spaces.
    """

    task_id: int
    key: str
    text: str


class LineCrops:
    """Crops of lines and what the recogniser's backbone makes of them, a folder a project.

    Args:
        folder: Of all projects.
        images: Gets the files of images.
        imported: Gets the files of imported images.
        max_image_bytes: Largest image file that is taken.
        max_image_pixels: Largest image that is taken.
    """

    def __init__(
        self,
        folder: Path,
        images: ImageFetcher,
        imported: ImportedImage,
        *,
        max_image_bytes: int,
        max_image_pixels: int,
    ) -> None:
        self._folder = folder
        self._images = images
        self._imported = imported
        self._limits = (max_image_bytes, max_image_pixels)

    def collect(
        self,
        project_id: int,
        documents: Sequence[LabelledDocument],
        on_progress: Callable[[int, int], None] = lambda _done, _all: None,
    ) -> list[TrainingLine]:
        """Return the lines of documents whose crops are there or can be made; others' crops are removed.

        Lines of an image that cannot be fetched any more, or has changed since it was read, are left out.

        Args:
            project_id: Their project.
            documents: What was annotated.
            on_progress: Called with the number of documents that were looked at, and of all.

        Raises:
            BackendError: If the folder cannot be written.
        """
        lines: list[TrainingLine] = []
        for done, document in enumerate(documents):
            on_progress(done, len(documents))
            wanted = {_key(document, sample): sample for sample in document.lines if readable(sample.text)}
            missing = {key: sample for key, sample in wanted.items() if not self._file(project_id, key).is_file()}
            if missing:
                self._cut(project_id, document, missing)
            lines += [
                TrainingLine(document.task_id, key, readable(sample.text))
                for key, sample in wanted.items()
                if self._file(project_id, key).is_file()
            ]
        self._remove_others(project_id, {line.key for line in lines})
        return lines

    def crop(self, project_id: int, key: str) -> RgbImage:
        """Return the crop of a line.

        Raises:
            BackendError: If it is gone, or damaged.
        """
        path = self._file(project_id, key)
        try:
            pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
        except OSError as error:
            raise BackendError(f"{path} cannot be read: {error.strerror}.") from error
        if pixels is None:
            path.unlink(missing_ok=True)
            raise BackendError(f"{path} was damaged and has been removed; the next run cuts it out again.")
        return np.ascontiguousarray(np.asarray(pixels, np.uint8)[:, :, ::-1])

    def features(self, project_id: int, key: str, backbone: LineFeatures, variant: int = 0) -> FloatArray:
        """Return what a backbone makes of a line, computed once.

        Args:
            project_id: Its project.
            key: The line's.
            backbone: The layers below the head, or some of them.
            variant: 0 is the line as it is, each other number a change of it (:func:`augment_crop`), always the same.

        Raises:
            BackendError: If its crop is gone or damaged, or the folder cannot be written.
        """
        path = self._file(project_id, key).with_suffix(f".{backbone.digest}.{variant}.npy")
        if path.is_file():
            try:
                return np.asarray(np.load(path, allow_pickle=False), np.float32)
            except (OSError, ValueError):
                path.unlink(missing_ok=True)
        pixels = self.crop(project_id, key)
        if variant:
            pixels = augment_crop(pixels, np.random.default_rng([int(key, 16), variant]), _STRENGTH)
        features = backbone.features([pixels])[0]
        try:
            with replacing(path) as file:
                np.save(file, features.astype(np.float16))
        except OSError as error:
            raise BackendError(f"{path} cannot be written: {error.strerror}.") from error
        return features

    def _cut(self, project_id: int, document: LabelledDocument, samples: dict[str, LineSample]) -> None:
        """Write the crops of some lines of a document."""
        try:
            # People who may edit tasks in Label Studio must not read files here: only what was kept here names them.
            is_ours = document.source != "label_studio" and document.url.startswith(SCHEME)
            data = (
                self._imported(document.url)
                if is_ours
                else self._images.fetch(document.url, max(document.task_id, 0) or None, project_id)
            )
            if image_key(data) != document.image_key:
                return
            max_bytes, max_pixels = self._limits
            image = load_image(data, max_bytes=max_bytes, max_pixels=max_pixels)
        except (ImageFetchError, ImageError) as error:
            _log.warning("lines_not_cut_out", project=project_id, task=document.task_id, error=str(error))
            return
        for key, sample in samples.items():
            try:
                pixels = crop(image, sample.polygon)
            except ValueError:
                continue
            path = self._file(project_id, key)
            stored = cv2.imencode(".png", pixels[:, :, ::-1])[1]
            try:
                with replacing(path) as file:
                    file.write(stored.tobytes())
            except OSError as error:
                raise BackendError(f"{path} cannot be written: {error.strerror}.") from error

    def _remove_others(self, project_id: int, keys: set[str]) -> None:
        folder = self._folder / str(project_id)
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.name.partition(".")[0] not in keys:
                path.unlink(missing_ok=True)

    def _file(self, project_id: int, key: str) -> Path:
        return self._folder / str(project_id) / f"{key}.png"


def _key(document: LabelledDocument, sample: LineSample) -> str:
    """Name a crop by its image and outline, in hexadecimal digits."""
    corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in sample.polygon)
    return hashlib.sha256(f"{document.image_key} {corners}".encode()).hexdigest()[:24]
