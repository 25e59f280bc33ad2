"""Contacts to tasks: documents with pages, and what a project can show. The whole way is in the end-to-end tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ml_backend.contacts.sending import Sender, SentImage
from ml_backend.errors import RequestError
from ml_backend.label_studio.label_config import LabelConfig, PageId, parse_label_config
from ml_backend.learn.blocks import TextBlock
from ml_backend.learn.sample_files import SampleFolder
from ml_backend.learn.sample_io import ImageLimits
from ml_backend.predict.serving_models import SoleModel
from ml_backend.store.contacts import ContactStore
from ml_backend.store.events import Store
from ml_backend.store.rescorings import RescoringStore
from ml_backend.store.task_scores import TaskScores
from model.document.images import image_key
from model.document.page_files import PageLimits
from model.document.types import Box
from tests.conftest import card_png, print_card
from tests.ml_backend.api_backend import CardReader
from tests.ml_backend.backend import RECTANGLES, ImageTable, MemoryQueue
from tests.paged import paged

PAGED = RECTANGLES.replace('value="$image"', 'valueList="$pages"')
SHEETS = [print_card([f"Sheet {number}"], size=(640, 400 + 10 * number)) for number in range(3)]


class UploadingSession:
    """Takes files as Label Studio does, in two steps."""

    def __init__(self) -> None:
        self.files: list[bytes] = []

    @contextmanager
    def explained(self, what: str, **_: object) -> Iterator[None]:
        yield

    def request(self, method: str, path: str, **more: Any) -> dict[str, object]:
        if method == "POST":
            self.files.append(more["files"]["file"][1])
            return {"file_upload_ids": [len(self.files) - 1]}
        return {"file": f"upload/2/page-{path.rpartition('/')[2]}.png"}


@dataclass
class Studio:
    """As much of Label Studio as sending needs."""

    xml: str
    session: UploadingSession = field(default_factory=UploadingSession)
    tasks: list[Mapping[str, Any]] = field(default_factory=list)

    def reach(self) -> Studio:
        return self

    def config(self, project_id: int) -> LabelConfig:
        return parse_label_config(self.xml)

    def import_tasks(self, project_id: int, tasks: Sequence[Mapping[str, Any]]) -> list[int]:
        self.tasks += tasks
        return [len(self.tasks)]


@dataclass
class Bench:
    studio: Studio
    sender: Sender
    store: Store
    queue: MemoryQueue


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[[str], Bench]]:
    store = Store(f"sqlite:///{tmp_path / 'store.sqlite3'}")

    def build(xml: str) -> Bench:
        studio, queue = Studio(xml), MemoryQueue()
        sender = Sender(
            studio,  # type: ignore[arg-type]
            ContactStore(store.engine),
            SoleModel(CardReader()),
            ImageTable(),
            SampleFolder(tmp_path / "data"),
            ImageLimits(10**7, 10**7),
            RescoringStore(store.engine),
            TaskScores(store.engine),
            PageLimits(10**7, 10, 10**7),
            queue,
        )
        return Bench(studio, sender, store, queue)

    yield build
    store.close()


def test_a_document_becomes_one_task_with_the_prediction_of_all_its_pages(make: Callable[[str], Bench]) -> None:
    bench = make(PAGED)
    assert bench.sender.send(2, "crm-1", SentImage(paged(SHEETS))).created
    (task,) = bench.studio.tasks
    urls = [f"/data/upload/2/page-{number}.png" for number in range(3)]
    assert task["data"] == {"pages": urls, "contact_id": "crm-1"}
    (prediction,) = task["predictions"]
    heights = {part["item_index"]: part["original_height"] for part in prediction["result"]}
    assert heights == {0: 400, 1: 410, 2: 420}
    known = RescoringStore(bench.store.engine).task_images(2)[1]
    keys = [image_key(data) for data in bench.studio.session.files]
    assert [(page, image.url, image.image_key) for page, image in known.items()] == [
        (PageId("image", number), urls[number], keys[number]) for number in range(3)
    ]
    assert TaskScores(bench.store.engine).scores(2)[1].signals.pages == 3
    assert bench.queue.jobs == []


def test_what_cannot_be_read_at_once_is_left_to_the_worker(
    make: Callable[[str], Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml_backend.contacts.sending.READING_SECONDS", 1e-9)
    bench = make(PAGED)
    bench.sender.send(2, "crm-1", SentImage(paged(SHEETS, "TIFF")))
    (task,) = bench.studio.tasks
    assert len(task["data"]["pages"]) == 3
    assert "predictions" not in task
    assert bench.queue.jobs == [(2, 1)]


@pytest.mark.parametrize(
    ("kind", "shown"), [("JPEG2000", b"\x89PNG"), ("AVIF", b"\x89PNG"), ("TIFF", b"\x89PNG"), ("GIF", b"GIF8")]
)
@pytest.mark.parametrize("xml", [RECTANGLES, PAGED], ids=["one image", "pages"])
def test_what_label_studio_cannot_show_is_sent_as_a_picture_that_it_can(
    make: Callable[[str], Bench], kind: str, shown: bytes, xml: str
) -> None:
    buffer = BytesIO()
    SHEETS[0].save(buffer, kind)
    bench = make(xml)
    bench.sender.send(2, "crm-1", SentImage(buffer.getvalue()))
    (file,) = bench.studio.session.files
    assert file.startswith(shown)
    assert Image.open(BytesIO(file)).size == (640, 400)
    (known,) = RescoringStore(bench.store.engine).task_images(2)[1].values()
    assert known.image_key == image_key(file)


def test_an_image_is_a_document_of_one_page_where_the_project_shows_pages(make: Callable[[str], Bench]) -> None:
    bench = make(PAGED)
    bench.sender.send(2, "crm-1", SentImage(card_png("Ada Lovelace")))
    assert bench.studio.tasks[0]["data"]["pages"] == ["/data/upload/2/page-0.png"]
    assert {part["item_index"] for part in bench.studio.tasks[0]["predictions"][0]["result"]} == {0}


def test_what_the_project_cannot_show_is_refused_before_anything_is_uploaded(make: Callable[[str], Bench]) -> None:
    bench = make(RECTANGLES)
    with pytest.raises(RequestError, match="one image a task"):
        bench.sender.send(2, "crm-1", SentImage(paged(SHEETS)))
    blocks = [TextBlock("a", "Ada", Box(0, 0, 10, 10))]
    with pytest.raises(RequestError, match="Blocks are of one image"):
        make(PAGED).sender.send(2, "crm-1", SentImage(paged(SHEETS)), blocks)
    assert bench.studio.session.files == []
    # The contact may be sent again.
    assert bench.sender.send(2, "crm-1", SentImage(card_png("Ada"))).created
