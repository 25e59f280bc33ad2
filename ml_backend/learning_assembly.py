"""Settings to the services of the learning loop that need no model, and therefore start at once."""

from __future__ import annotations

from dataclasses import dataclass

from ml_backend.errors import LabelStudioError
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.images import ImageSource
from ml_backend.learn.annotation_sync import Synchroniser
from ml_backend.learn.dataset import Collector
from ml_backend.learn.page_source import PageReader, PageSource
from ml_backend.learn.sample_files import SampleFolder
from ml_backend.learn.training_trigger import DueCheck
from ml_backend.settings import Settings
from ml_backend.store.annotations import LearningStore
from ml_backend.store.events import Store
from ml_backend.store.rescorings import RescoringStore
from ml_backend.store.runs import RunStore


@dataclass(frozen=True, slots=True)
class LearningServices:
    """What the loop works with, apart from models."""

    store: Store
    learning: LearningStore
    runs: RunStore
    due: DueCheck
    label_studio: LabelStudio
    synchroniser: Synchroniser

    def close(self) -> None:
        """Let go of connections."""
        self.label_studio.close()
        self.store.close()


def build_due(settings: Settings, store: Store) -> DueCheck:
    """Return what decides when to train."""
    return DueCheck(
        LearningStore(store.engine),
        RunStore(store.engine),
        min_documents=settings.min_training_samples,
        retrain_after=settings.retrain_after,
    )


def build_synchroniser(settings: Settings, store: Store, label_studio: LabelStudio) -> Synchroniser:
    """Return what brings annotations over."""
    return Synchroniser(
        label_studio,
        store,
        LearningStore(store.engine),
        build_due(settings, store),
        compare_seconds=settings.sync_seconds,
    )


def build_images(settings: Settings, label_studio: LabelStudio | None) -> ImageSource:
    """Return what gets image files; without a Label Studio, its own addresses are refused."""
    return ImageSource(
        label_studio.session if label_studio else None,
        allowed_hosts=settings.image_hosts,
        local_files_root=settings.local_files_root,
        max_bytes=settings.max_image_bytes,
        timeout=settings.fetch_timeout_seconds,
    )


def build_collector(settings: Settings, store: Store, label_studio: LabelStudio, reader: PageReader) -> Collector:
    """Return what makes examples of annotations.

    Args:
        settings: Where images may come from, and where imported ones are.
        store: Annotations and readings.
        label_studio: Where most images are.
        reader: Reads images that nobody has read before, and keeps what it has read.
    """
    images = build_images(settings, label_studio)
    imported = SampleFolder(settings.training_data_dir).fetch
    pages = PageSource(RescoringStore(store.engine), images, reader, imported)
    return Collector(LearningStore(store.engine), pages)


def build_learning(settings: Settings) -> LearningServices:
    """Open the store, and Label Studio's API.

    Raises:
        BackendError: If there is no Label Studio to learn from, its token is refused, or the store cannot be opened.
    """
    if not settings.label_studio_url:
        raise LabelStudioError(
            "There is no Label Studio to learn from.", "Set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY."
        )
    store = Store(settings.store_url)
    label_studio = LabelStudio(settings.label_studio_url, settings.label_studio_api_key.get_secret_value())
    return LearningServices(
        store,
        LearningStore(store.engine),
        RunStore(store.engine),
        build_due(settings, store),
        label_studio,
        build_synchroniser(settings, store, label_studio),
    )
