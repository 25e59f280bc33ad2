"""Samples are written and taken back without loss; what cannot be taken says in which line and why."""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from ml_backend.errors import ImageFetchError
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.label_studio.regions import read_result
from ml_backend.learn.sample_files import SampleError, SampleFolder
from ml_backend.learn.sample_io import ImageLimits, SampleReader, SampleWriter, Tally
from ml_backend.store.annotations import LearningStore
from ml_backend.store.engine import open_engine
from ml_backend.store.records import StoredAnnotation, choose
from model.document.images import image_key
from model.document.types import Box
from tests.ml_backend.backend import LABELS, POLYGONS, RECTANGLES, ImageTable
from tests.ml_backend.label_studio.results import HEIGHT, WIDTH, polygon, region

NOW = datetime(2025, 5, 1, 12, tzinfo=timezone.utc)
NAME = region("a", (98, 48, 325, 82), "Мария Петрова", "NAME")
MAIL = region("b", (98, 148, 505, 182), "maria@northwind.example", "EMAIL")
PLAIN = region("c", (98, 248, 505, 282))


def picture(shade: int = 255) -> bytes:
    file = BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT), (shade, shade, shade)).save(file, "PNG")
    return file.getvalue()


class Bench:
    def __init__(self, folder: Path) -> None:
        self.learning = LearningStore(open_engine(f"sqlite:///{folder / 'store.sqlite3'}"))
        self.folder = SampleFolder(folder / "data")
        self.images = ImageTable(card=picture())
        self.config = parse_label_config(RECTANGLES)
        self.inbox = folder / "inbox"
        self.inbox.mkdir()
        (self.inbox / "card.png").write_bytes(picture())

    def annotate(self, task: int, *parts: list[dict[str, object]], **data: object) -> None:
        result = [part for some in parts for part in some]
        data = {"image": "card"} | data
        self.learning.save([(StoredAnnotation(task, 1, task, 7, result, False, False, NOW, NOW, data), [])])

    def write(self) -> tuple[list[dict[str, object]], Tally]:
        path, tally = SampleWriter(self.learning, self.images, self.folder).write(1, self.config)
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()], tally

    def take(self, *lines: object, project: int = 2) -> Tally:
        file = self.inbox / "samples.jsonl"
        text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
        file.write_text(text, encoding="utf-8")
        return self.take_file(file, project)

    def take_file(self, file: Path, project: int = 2) -> Tally:
        return SampleReader(self.learning, self.folder, ImageLimits(10_000_000, 10_000_000)).take(
            file, project, self.config
        )

    def taken(self, project: int = 2) -> list[StoredAnnotation]:
        heads = choose(self.learning.heads(project))
        return list(self.learning.annotations(sorted((head.id for head in heads.values()), reverse=True)))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def sample(**changes: object) -> dict[str, object]:
    block = {"bbox": [98, 48, 325, 82], "label": "NAME", "text": "Maria"}
    return {"image": "card.png", "blocks": [block]} | changes


def test_an_annotation_is_written_as_a_sample(bench: Bench) -> None:
    bench.annotate(5, NAME, PLAIN, contact_id="crm-17")
    (written,), tally = bench.write()
    assert (tally.done, tally.problems) == (1, [])
    assert written == {
        "image": f"images/{image_key(picture())}.png",
        "blocks": [
            {"bbox": [98.0, 48.0, 325.0, 82.0], "label": "NAME", "text": "Мария Петрова"},
            {"bbox": [98.0, 248.0, 505.0, 282.0], "label": None, "text": None},
        ],
        "annotated_at": "2025-05-01T12:00:00+00:00",
        "contact_id": "crm-17",
        "task_id": 5,
        "project_id": 1,
    }
    assert (bench.folder.file(1).parent / str(written["image"])).read_bytes() == picture()


def test_writing_again_replaces_what_was_written(bench: Bench) -> None:
    bench.annotate(5, NAME)
    bench.annotate(6, MAIL)
    assert len(bench.write()[0]) == 2
    bench.learning.mark_deleted([5])
    assert [written["task_id"] for written in bench.write()[0]] == [6]


def test_an_image_that_is_gone_leaves_the_others(bench: Bench) -> None:
    bench.annotate(5, NAME, image="gone")
    bench.annotate(6, MAIL)
    written, tally = bench.write()
    assert [line["task_id"] for line in written] == [6]
    assert tally.problems == ["task 5: The image does not exist."]


def test_a_failure_keeps_what_was_written_before(bench: Bench) -> None:
    bench.annotate(5, NAME)
    bench.write()
    bench.annotate(6, MAIL, image="late")
    bench.images.images["late"] = RuntimeError("the power fails")
    with pytest.raises(RuntimeError):
        bench.write()
    assert len(bench.folder.file(1).read_text().splitlines()) == 1
    assert sorted(path.name for path in bench.folder.file(1).parent.iterdir()) == ["images", "samples.jsonl"]


@pytest.mark.parametrize("config", [RECTANGLES, LABELS, POLYGONS], ids=["rectangles", "labels", "polygons"])
def test_what_is_written_can_be_taken_by_any_project(bench: Bench, config: str) -> None:
    bench.annotate(5, NAME, MAIL, PLAIN)
    bench.write()
    bench.config = parse_label_config(config)
    assert bench.take_file(bench.folder.file(1)).done == 1
    (taken,) = bench.taken()
    regions = read_result(taken.result, bench.config).regions
    told = [(region.label, region.text) for region in regions]
    assert told == [("NAME", "Мария Петрова"), ("EMAIL", "maria@northwind.example"), (None, None)]
    box = Box.of_polygon(regions[0].polygon)
    assert (box.x0, box.y0, box.x1, box.y1) == pytest.approx((98, 48, 325, 82), abs=0.1)
    assert (taken.source, taken.updated_at) == ("import", NOW)
    assert bench.folder.fetch(str(taken.task_data["image"])) == picture()


def test_slanted_regions_keep_their_outline(bench: Bench) -> None:
    bench.config = parse_label_config(POLYGONS)
    points = [(100.0, 50.0), (300.0, 70.0), (297.0, 100.0), (97.0, 80.0)]
    bench.annotate(5, polygon("a", points, "Maria", "NAME"))
    (written,), _ = bench.write()
    assert written["blocks"][0]["polygon"] == [list(point) for point in points]  # type: ignore[index]
    bench.take_file(bench.folder.file(1))
    (found,) = read_result(bench.taken()[0].result, bench.config).regions
    assert [tuple(point) for point in found.polygon] == [pytest.approx(point, abs=0.01) for point in points]


def test_the_same_image_taken_again_replaces_the_first(bench: Bench) -> None:
    bench.take(sample())
    other = {"bbox": [98, 48, 325, 82], "label": "EMAIL", "text": "maria@northwind.example"}
    assert bench.take(sample(blocks=[other])).done == 1
    (taken,) = bench.taken()
    assert read_result(taken.result, bench.config).regions[0].label == "EMAIL"


def test_images_that_differ_are_samples_of_their_own(bench: Bench) -> None:
    (bench.inbox / "grey.png").write_bytes(picture(128))
    bench.take(sample(), sample(image="grey.png"))
    assert len({taken.task_id for taken in bench.taken()}) == 2
    assert all(taken.task_id < 0 for taken in bench.taken())


def test_what_is_annotated_in_label_studio_is_not_taken_a_second_time(bench: Bench) -> None:
    bench.annotate(5, NAME)
    bench.write()
    tally = bench.take_file(bench.folder.file(1), project=1)
    assert (tally.done, tally.present) == (0, 1)


def test_a_list_of_samples_is_read_too(bench: Bench) -> None:
    assert bench.take(json.dumps([sample()])).done == 1


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "line 2: it is not JSON"),
        ("[1]", "line 2: the line: input should be a valid dictionary"),
        (sample(image=""), "line 2: image: string should have at least 1 character"),
        (sample(blocks=[{"bbox": [5, 5, 5, 9]}]), "line 2: blocks.0: value error, bbox must be"),
        (sample(blocks=[{"bbox": [1, 2, 3]}]), "line 2: blocks.0.bbox"),
        (sample(blocks=[{"bbox": [0, 0, 1e300, 9]}]), "no number that a page has"),
        (sample(blocks=[{"bbox": [5000, 5, 5010, 9]}]), "line 2: block 0 lies outside the image of 1000 × 500 pixels"),
        (sample(blocks=[{"bbox": [5, 5, 9, 9], "label": "MOTTO"}]), "line 2: the project has no label MOTTO"),
        (sample(image="gone.png"), "line 2: the image gone.png cannot be read: No such file"),
        (sample(image="samples.jsonl"), "line 2: The file is no image that is read"),
        (sample(annotated_at="yesterday"), "line 2: annotated_at: input should be a valid datetime"),
    ],
)
def test_a_line_that_is_no_sample_says_why_and_the_others_are_taken(bench: Bench, line: object, reason: str) -> None:
    (bench.inbox / "grey.png").write_bytes(picture(128))
    tally = bench.take(sample(), line, sample(image="grey.png"))
    assert tally.done == 2
    (problem,) = tally.problems
    assert reason in problem


DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (json.dumps(sample())[:-1] + f', "extra": {DEEP}}}', "line 2: it is nested too deeply"),
        (json.dumps(sample())[:-1] + f', "task_id": {"9" * 5000}}}', "line 2: it holds a number that is too large"),
        (json.dumps(sample(task_id=2**63)), "line 2: task_id"),
        (json.dumps(sample(item_index=10**40)), "line 2: item_index"),
        (json.dumps(sample(blocks=[{"bbox": {"x": 10**400, "y": 1, "width": 1, "height": 1}}])), "line 2: "),
        (json.dumps(sample(blocks=[{"bbox": [10**400, 1, 2, 3]}])), "line 2: "),
        (json.dumps(sample(annotated_at="0001-01-01T00:00:00+14:00")), "line 2: annotated_at"),
        (json.dumps(sample(annotated_at="9999-12-31T23:59:59-12:00")), "line 2: annotated_at"),
        (json.dumps(sample(image="a\0b")), "line 2: the image's path or address holds a character"),
        (json.dumps(sample(image="pipe.png")), "line 2: the image pipe.png is no file"),
        (b'{"image": "\xff"}', "line 2: it is not UTF-8"),
    ],
    ids=["deep", "digits", "id", "index", "width", "box", "first day", "last day", "nul", "pipe", "bytes"],
)
def test_no_line_stops_the_ones_behind_it(bench: Bench, line: str | bytes, reason: str) -> None:
    os.mkfifo(bench.inbox / "pipe.png")
    (bench.inbox / "grey.png").write_bytes(picture(128))
    file = bench.inbox / "odd.jsonl"
    raw = line if isinstance(line, bytes) else line.encode()
    file.write_bytes(b"\n".join([json.dumps(sample()).encode(), raw, json.dumps(sample(image="grey.png")).encode()]))
    tally = bench.take_file(file)
    assert tally.done == 2
    (problem,) = tally.problems
    assert problem.startswith(reason)


def test_times_at_the_edge_of_the_calendar_are_taken(bench: Bench) -> None:
    assert bench.take(sample(annotated_at="9999-12-31T23:59:59Z")).done == 1


def test_a_pipe_is_no_file_of_samples(bench: Bench) -> None:
    os.mkfifo(bench.inbox / "pipe")
    with pytest.raises(SampleError, match="it is no file"):
        bench.take_file(bench.inbox / "pipe")


def test_half_a_pair_of_surrogates_stops_no_collecting(bench: Bench) -> None:
    bench.annotate(5, NAME, contact_id="\ud83d")
    written, tally = bench.write()
    assert (tally.done, written[0]["contact_id"]) == (1, "?")


def test_messages_do_not_quote_the_document(bench: Bench) -> None:
    tally = bench.take(sample(blocks=[{"bbox": ["Maria Petrova", 1, 2, 3]}]))
    assert "Maria" not in tally.problems[0]


def test_a_file_that_is_missing_is_said(bench: Bench) -> None:
    with pytest.raises(SampleError, match="cannot be read: No such file"):
        bench.take_file(bench.inbox / "none.jsonl")


@pytest.mark.parametrize(
    "address", ["imported:1/images/../samples.jsonl", "imported:../images/a.png", "imported:1/a.png", "/etc/passwd"]
)
def test_addresses_lead_nowhere_but_to_imported_images(bench: Bench, address: str) -> None:
    bench.annotate(5, NAME)
    bench.write()
    with pytest.raises(ImageFetchError, match="not that of an imported image"):
        bench.folder.fetch(address)


EXAMPLES = json.loads((Path(__file__).parents[1] / "api" / "application_examples.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("place", ["api/files/card.jpg", "files/card.jpg", "card.jpg"])
def test_a_sample_of_the_application_is_taken_with_its_image_beside_it(bench: Bench, place: str) -> None:
    path = bench.inbox / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture(7))
    tally = bench.take(EXAMPLES["training_sample"])
    assert (tally.done, tally.problems) == (1, [])
    (head,) = bench.learning.heads(2)
    (annotation,) = bench.learning.annotations([head.id])
    assert annotation.task_data["contact_id"] == 123
    assert annotation.updated_at == datetime(2025, 10, 27, 18, tzinfo=timezone.utc)
    labels = [part["value"]["rectanglelabels"] for part in annotation.result if part["type"] == "rectanglelabels"]
    assert labels == [["NAME"], ["COMPANY"]]


def test_a_sample_whose_image_is_nowhere_says_where_to_put_it(bench: Bench) -> None:
    tally = bench.take(EXAMPLES["training_sample"])
    assert tally.done == 0
    (problem,) = tally.problems
    assert "/api/files/card.jpg is an address of the application" in problem
    assert "--images" in problem


def test_images_of_the_application_are_in_a_folder_or_behind_its_address(bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "card.jpg").write_bytes(picture(9))
    file = bench.inbox / "samples.jsonl"
    file.write_text(json.dumps(EXAMPLES["training_sample"]), encoding="utf-8")
    reader = SampleReader(bench.learning, bench.folder, ImageLimits(10_000_000, 10_000_000))
    assert reader.take(file, 2, bench.config, place=str(folder)).done == 1
    fetched: list[str] = []

    def fetch(address: str) -> bytes:
        fetched.append(address)
        return picture(11)

    assert reader.take(file, 3, bench.config, place="http://crm.example/", fetch=fetch).done == 1
    assert fetched == ["http://crm.example/api/files/card.jpg"]

    def refuse(address: str) -> bytes:
        raise ImageFetchError("Images are not read from there.", "Add it to ALLOWED_HOSTS.")

    (problem,) = reader.take(file, 4, bench.config, place="http://crm.example/", fetch=refuse).problems
    assert "Add it to ALLOWED_HOSTS." in problem


def test_one_file_is_not_taken_for_two_images(bench: Bench) -> None:
    (bench.inbox / "card.jpg").write_bytes(picture(7))
    first, second = (EXAMPLES["training_sample"] | {"image": f"/api/{name}/card.jpg"} for name in ("a", "b"))
    tally = bench.take(first, second, first)
    assert tally.done == 2
    assert "are both found as card.jpg" in tally.problems[0]


def test_boxes_with_a_size_and_labels_in_lower_case_are_taken(bench: Bench) -> None:
    block = {"bbox": {"x": "98", "y": 48, "width": 227, "height": 34}, "label": "name", "text": "Maria"}
    assert bench.take(sample(blocks=[block, block | {"label": ""}])).done == 1
    (head,) = bench.learning.heads(2)
    (annotation,) = bench.learning.annotations([head.id])
    drawn = [part["value"] for part in annotation.result if part["type"] == "rectanglelabels"]
    assert [(each["rectanglelabels"], round(each["width"] * WIDTH / 100)) for each in drawn] == [
        (["NAME"], 227),
        ([], 227),
    ]
    bad = bench.take(sample(blocks=[block | {"bbox": {"x": 1, "y": 2, "width": 3}}]))
    assert "bbox" in bad.problems[0]


def test_a_path_that_no_image_has_stops_nothing(bench: Bench) -> None:
    assert bench.take(sample(image="a\0b"), sample(image="."), sample()).done == 1


def test_a_contact_is_written_as_the_application_sent_it(bench: Bench) -> None:
    bench.annotate(5, NAME, contact_id="123")
    writer = SampleWriter(bench.learning, bench.images, bench.folder, lambda _, tasks: dict.fromkeys(tasks, 123))
    path, _ = writer.write(1, bench.config)
    assert json.loads(path.read_text(encoding="utf-8"))["contact_id"] == 123
