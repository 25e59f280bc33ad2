"""A project's annotations become pages with tags; what cannot be used says why."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from ml_backend.errors import ImageFetchError, ImageRefusedError
from ml_backend.label_studio.label_config import PageId, parse_label_config
from ml_backend.learn.dataset import Collected, Collector
from ml_backend.learn.page_source import PageSource
from ml_backend.learn.sample_files import SCHEME
from ml_backend.learn.skipped_regions import count_skipped
from ml_backend.store.annotations import LearningStore
from ml_backend.store.events import Store
from ml_backend.store.records import StoredAnnotation
from ml_backend.store.rescorings import RescoringStore, TaskImage
from model.document.bio import FIELDS
from model.document.images import image_key
from model.document.types import Page
from model.errors import EngineError, ImageError
from tests.ml_backend.backend import RECTANGLES, ImageTable
from tests.ml_backend.label_studio.results import HEIGHT, WIDTH, region
from tests.ml_backend.learn.test_tagging import line

NOW = datetime(2025, 5, 1, 12, tzinfo=timezone.utc)
PAGE = Page(WIDTH, HEIGHT, (line(50, ("Maria", 100, 200), ("Petrova", 210, 320)),))
NAME = region("a", (98, 48, 325, 82), "Maria Petrova", "NAME")


class TableReader:
    """Reads images by their content: what is not a page is raised."""

    engine_version = "engine-1"

    def __init__(self, store: Store, **pages: Page | Exception) -> None:
        self._store = store
        self._pages = {name.encode(): page for name, page in pages.items()}
        self.read_images: list[bytes] = []

    def kept(self, key: str) -> Page | None:
        return self._store.get(key, self.engine_version)

    def read_file(self, data: bytes) -> Page:
        self.read_images.append(data)
        page = self._pages[data]
        if isinstance(page, Exception):
            raise page
        self._store.put(image_key(data), self.engine_version, page)
        return page


class Bench:
    def __init__(self, folder: Path) -> None:
        self.store = Store(f"sqlite:///{folder / 'store.sqlite3'}")
        self.learning, self.memory = LearningStore(self.store.engine), RescoringStore(self.store.engine)
        broken = ImageError("The image file is broken.")
        self.reader = TableReader(self.store, card=PAGE, wide=replace(PAGE, width=4000), broken=broken)
        self.images = ImageTable(card=b"card", wide=b"wide", broken=b"broken")
        self.imported = {f"{SCHEME}1/images/card.png": b"card"}
        self.config = parse_label_config(RECTANGLES)

    def annotate(self, number: int, image: str = "card", result: object = NAME, **more: object) -> None:
        plain = StoredAnnotation(
            number,
            1,
            number,
            7,
            result,
            False,
            False,
            NOW,
            NOW,
            {"image": image},  # type: ignore[arg-type]
        )
        self.learning.save([(replace(plain, **more), [])])  # type: ignore[arg-type]

    def collect(self) -> Collected:
        pages = PageSource(self.memory, self.images, self.reader, self.imported.__getitem__)
        return Collector(self.learning, pages).collect(1, self.config, FIELDS)

    def problem(self, number: int) -> str | None:
        return {head.id: head.problem for head in self.learning.heads(1)}[number]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_annotated_pages_become_examples(bench: Bench) -> None:
    bench.annotate(1)
    collected = bench.collect()
    (example,) = collected.examples
    assert [word.text for word in example.page.words] == ["Maria", "Petrova"]
    assert example.tags == ("B-NAME", "I-NAME")
    assert [sample.text for sample in example.lines] == ["Maria Petrova"]
    assert (example.task_id, example.annotation_id, example.image) == (1, 1, "image")
    assert example.image_key == image_key(b"card")
    assert set(collected.digests) == {1}
    assert collected.fields == ("NAME", "COMPANY", "EMAIL")
    assert collected.problems == ()


def test_a_page_that_was_read_before_is_neither_fetched_nor_read(bench: Bench) -> None:
    bench.annotate(1)
    bench.collect()
    bench.images.asked.clear()
    bench.collect()
    assert (bench.images.asked, len(bench.reader.read_images)) == ([], 1)


def test_an_image_with_another_address_is_fetched_again(bench: Bench) -> None:
    bench.memory.remember_images(1, 1, {PageId("image"): TaskImage("another", image_key(b"card"))})
    bench.annotate(1)
    bench.collect()
    assert bench.images.asked == ["card"]


def test_one_annotation_of_a_task_is_learned_from(bench: Bench) -> None:
    bench.annotate(1, task_id=5, ground_truth=True)
    bench.annotate(2, task_id=5, result=region("a", (98, 48, 325, 82), "Maria Petrova", "COMPANY"))
    (example,) = bench.collect().examples
    assert (example.annotation_id, example.tags[0]) == (1, "B-NAME")


@pytest.mark.parametrize(
    ("image", "result", "reason"),
    [
        ("missing", NAME, "does not exist"),
        ("broken", NAME, "broken"),
        ("wide", NAME, "has 4000 × 500 now"),
        ("", NAME, "no image under image"),
        ("card", [], "no region"),
        ("card", [NAME[0] | {"item_index": 3}], "other images"),
    ],
)
def test_an_annotation_that_cannot_be_used_says_why(bench: Bench, image: str, result: object, reason: str) -> None:
    bench.annotate(1)
    bench.annotate(2, image, result, problem="no region" if not result else None)
    collected = bench.collect()
    assert [example.task_id for example in collected.examples] == [1]
    (problem,) = collected.problems
    assert (problem.task_id, problem.annotation_id) == (2, 2)
    assert reason in problem.reason
    assert set(collected.digests) == {1}


def test_a_missing_image_that_comes_back_is_learned_from(bench: Bench) -> None:
    bench.annotate(1, "late")
    assert bench.collect().examples == ()
    assert "does not exist" in str(bench.problem(1))
    bench.images.images["late"] = b"card"
    assert len(bench.collect().examples) == 1
    assert bench.problem(1) is None


def test_when_no_image_can_be_fetched_no_document_is_to_blame(bench: Bench) -> None:
    for number in range(1, 6):
        bench.annotate(number, "down")
    bench.images.images["down"] = ImageFetchError("The image's host does not answer.")
    with pytest.raises(ImageFetchError, match="does not answer"):
        bench.collect()
    assert bench.problem(1) is None
    bench.images.images["down"] = ImageRefusedError("Images are not read from there.")
    assert len(bench.collect().problems) == 5


def test_an_engine_that_fails_is_no_problem_of_the_document(bench: Bench) -> None:
    bench.annotate(1, "failing")
    bench.images.images["failing"] = b"failing"
    bench.reader._pages[b"failing"] = EngineError("The engine fails.")
    with pytest.raises(EngineError):
        bench.collect()
    assert bench.problem(1) is None


def test_imported_samples_have_images_of_their_own(bench: Bench) -> None:
    data = {"image": f"{SCHEME}1/images/card.png"}
    sample = StoredAnnotation(0, 1, -1, None, NAME, False, False, NOW, NOW, data, source="import")
    bench.learning.add_external(sample)
    (example,) = bench.collect().examples
    assert (example.task_id, example.tags) == (-1, ("B-NAME", "I-NAME"))
    assert bench.images.asked == []


def test_labels_that_fit_no_field_are_new_fields(bench: Bench) -> None:
    bench.config = parse_label_config(RECTANGLES.replace('value="COMPANY"', 'value="Motto"'))
    bench.annotate(1, result=region("a", (98, 48, 325, 82), "Maria Petrova", "Motto"))
    collected = bench.collect()
    assert collected.examples[0].tags == ("B-Motto", "I-Motto")
    assert collected.fields == ("NAME", "Motto", "EMAIL")


def test_every_image_of_a_task_is_a_page(bench: Bench) -> None:
    bench.config = parse_label_config(
        '<View><Image name="front" value="$image"/><Image name="back" value="$back"/>'
        '<RectangleLabels name="label" toName="front,back"><Label value="NAME"/></RectangleLabels>'
        '<TextArea name="text" toName="front,back" perRegion="true"/></View>'
    )
    box = (98, 48, 325, 82)
    both = region("a", box, "x", "NAME", image="front") + region("b", box, "y", "NAME", image="back")
    bench.annotate(1, result=both, task_data={"image": "card", "back": "card"})
    assert [example.image for example in bench.collect().examples] == ["front", "back"]


def test_what_was_collected_has_a_name(bench: Bench) -> None:
    bench.annotate(1)
    first = bench.collect().fingerprint
    assert bench.collect().fingerprint == first
    bench.annotate(2)
    assert bench.collect().fingerprint != first


def test_a_region_without_the_size_of_its_image_is_used_once_the_image_is_read(bench: Bench) -> None:
    bench.annotate(1, result=[part | {"original_width": None, "original_height": None} for part in NAME])
    collected = bench.collect()
    (example,) = collected.examples
    assert example.tags == ("B-NAME", "I-NAME")
    assert [sample.text for sample in example.lines] == ["Maria Petrova"]
    assert (collected.problems, dict(collected.skipped), collected.ignored) == ((), {}, 0)
    assert bench.problem(1) is None


def test_what_could_not_be_used_is_counted_and_its_words_are_ignored(bench: Bench) -> None:
    below = replace(PAGE, lines=(*PAGE.lines, line(150, ("Acme", 100, 180), ("Ltd", 190, 230))))
    bench.reader = TableReader(bench.store, card=below)
    dot = NAME[0] | {"id": "dot", "type": "keypointlabels", "value": {"x": 15, "y": 33, "width": 1}}
    gone = region("gone", (98, 148, 182, 182), "Acme", "MOTTO")
    bench.annotate(1, result=[*NAME, dot])
    bench.annotate(2, result=[*NAME, *gone])
    collected = bench.collect()
    first, second = collected.examples
    assert [word.text for word in first.page.words] == ["Maria", "Petrova"]
    assert [word.text for word in second.page.words] == ["Maria", "Petrova", "Ltd"]
    assert second.tags == ("B-NAME", "I-NAME", "O")
    assert (first.ignored, second.ignored, collected.ignored) == (2, 1, 3)
    assert dict(collected.skipped) == {
        "a region of type keypointlabels has no text outline": 1,
        "the project does not have its label any more": 1,
    }
    assert count_skipped(bench.learning, 1, bench.config) == dict(collected.skipped)


def test_pages_of_a_repeater_become_examples_each_in_its_place(bench: Bench) -> None:
    bench.config = parse_label_config(
        '<View><Repeater on="$pages"><Image name="page_{{idx}}" value="$pages[{{idx}}].image"/><RectangleLabels '
        'name="label_{{idx}}" toName="page_{{idx}}"><Label value="NAME"/></RectangleLabels><TextArea '
        'name="text_{{idx}}" toName="page_{{idx}}" perRegion="true"/></Repeater></View>'
    )
    second = [part | {"to_name": "page_1", "from_name": f"{part['from_name']}_1"} for part in NAME]
    bench.annotate(1, result=second, task_data={"pages": [{"image": "wide"}, {"image": "card"}]})
    (example,) = bench.collect().examples
    assert (example.image, example.item_index, example.tags) == ("page_1", 1, ("B-NAME", "I-NAME"))
    assert [sample.text for sample in example.lines] == ["Maria Petrova"]
    assert bench.images.asked == ["card"]
