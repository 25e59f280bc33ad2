"""Annotations that are made to take long are kept apart, with the reason; all others are brought over."""

from __future__ import annotations

import json
import random
import time
from contextlib import suppress
from typing import Any

import pytest

from ml_backend.errors import RequestError
from ml_backend.label_studio import outlines, regions
from ml_backend.label_studio.fields import match_labels
from ml_backend.label_studio.label_config import Label, parse_label_config
from ml_backend.label_studio.outlines import TOO_COMPLEX, TooComplexError, pairs_by_iou, shape_of, shape_of_box
from ml_backend.label_studio.records import Prediction
from ml_backend.label_studio.regions import TOO_MANY, read_result
from ml_backend.learn.annotation_diff import diff
from ml_backend.learn.blocks import TextBlock, compare
from ml_backend.learn.quarantine import TOO_DEEP, nested_too_deep
from ml_backend.learn.tagging import line_samples, tag_page
from ml_backend.ops.doctor.machine_checks import look_at_annotations
from ml_backend.ops.doctor.targets import System
from ml_backend.store.engine import open_engine
from model.document.types import Box, Page
from tests.ml_backend.backend import RECTANGLES
from tests.ml_backend.label_studio.results import HEIGHT, WIDTH, polygon, region
from tests.ml_backend.learn.test_annotation_sync import MAIL, NAME, Bench
from tests.ml_backend.learn.test_tagging import line

CONFIG = parse_label_config(RECTANGLES)
#: Old code took minutes for each of these; the limit is for busy machines.
SECONDS = 40.0

Result = list[dict[str, Any]]


def crossing(points: int, seed: int = 0, name: str = "a") -> Result:
    """A polygon that crosses itself about as often as its points allow."""
    draw = random.Random(seed)
    return polygon(name, [(draw.uniform(0, 1000), draw.uniform(0, 500)) for _ in range(points)], "x", "NAME")


def comb(name: str, *, upright: bool) -> Result:
    """A polygon of long teeth that is valid, and crosses one of the other direction at every tooth."""
    points: list[tuple[float, float]] = []
    for tooth in range(28):
        points += [(tooth * 10, 0), (tooth * 10, 300), (tooth * 10 + 5, 300), (tooth * 10 + 5, 0)]
    points += [(300, -5), (0, -5)]
    return polygon(name, [(y, x) if upright else (x, y) for x, y in points], "x", "NAME")


def stacked(count: int, by: float, prefix: str) -> Result:
    return [
        part
        for number in range(count)
        for part in region(f"{prefix}{number}", (100, 100, 200 + number * 0.01, 130 + by), "x", "NAME")[:1]
    ]


def spread(count: int, by: float, prefix: str) -> Result:
    return [
        part
        for number in range(count)
        for part in region(
            f"{prefix}{number}",
            (number % 50 * 20 + by, number // 50 * 8, number % 50 * 20 + 15 + by, number // 50 * 8 + 6),
            "x",
            "NAME",
        )[:1]
    ]


POISON = {
    "crossing 300": (crossing(300), crossing(300, 1)),
    "crossing 1000": (crossing(1000), crossing(1000, 1, "b")),
    "crossing 9000": (crossing(9000), crossing(9000, 1, "b")),
    "stacked": (stacked(3000, 0, "a"), stacked(3000, 0.5, "b")),
    "combs": (
        [part for n in range(60) for part in comb(f"a{n}", upright=True)],
        [part for n in range(60) for part in comb(f"b{n}", upright=False)],
    ),
    "combs moved": (
        [part for n in range(150) for part in comb(f"a{n}", upright=True)],
        [part for n in range(150) for part in comb(f"a{n}", upright=False)],
    ),
}


@pytest.mark.parametrize("name", POISON)
def test_comparing_ends_soon_whatever_the_outlines(name):
    start = time.process_time()
    with suppress(TooComplexError):
        diff(*POISON[name], CONFIG)
    assert time.process_time() - start < SECONDS


def test_thousands_of_regions_that_were_drawn_again_are_all_found():
    start = time.process_time()
    assert diff(spread(3000, 0, "a"), spread(3000, 0.5, "b"), CONFIG) == ()
    assert time.process_time() - start < SECONDS


def test_the_work_is_counted_before_it_is_done(monkeypatch):
    monkeypatch.setattr(outlines, "MAX_WORK", 1000)
    few = [shape_of_box(Box(n * 20, 0, n * 20 + 10, 10)) for n in range(30)]
    assert len(pairs_by_iou(few, few, least=0.5)) == 30
    one_place = [shape_of_box(Box(0, 0, 10 + n / 1000, 10)) for n in range(30)]
    with pytest.raises(TooComplexError):
        pairs_by_iou(one_place, one_place, least=0.5)


def test_time_is_limited_too(monkeypatch):
    monkeypatch.setattr(outlines, "MAX_SECONDS", -1.0)
    with pytest.raises(TooComplexError):
        pairs_by_iou([shape_of_box(Box(0, 0, 10, 10))], [shape_of_box(Box(0, 0, 10, 10))], least=0.5)


def test_outlines_of_hands_keep_their_shape_and_intricate_ones_become_hulls():
    bow_tie = shape_of(((0, 0), (10, 10), (10, 0), (0, 10)))
    assert bow_tie.area == pytest.approx(50)
    notched = shape_of(((0, 0), (10, 0), (10, 10), (5, 2), (0, 10)))
    assert notched.area == pytest.approx(60)
    draw = random.Random(3)
    wild = tuple((draw.uniform(0, 100), draw.uniform(0, 100)) for _ in range(300))
    assert shape_of(wild).geom_type == "Polygon"
    assert shape_of(wild).area == pytest.approx(shape_of(wild).convex_hull.area)


def test_a_project_with_such_an_annotation_is_synced_but_for_it(store_url, monkeypatch):
    bench = Bench(store_url)
    before = stacked(300, 0, "a")
    bench.label_studio.add_task(1, Prediction(1, "v1", before, 0.5, id=1))
    bench.label_studio.add_task(2, Prediction(2, "v1", NAME, 0.5, id=2))
    bench.label_studio.add_task(3)
    bench.label_studio.annotate(1, 10, stacked(300, 0.5, "b"), parent_prediction=1)
    bench.label_studio.annotate(2, 20, NAME + MAIL, parent_prediction=2)
    deep: list[Any] = []
    for _ in range(900):
        deep = [deep]
    bench.label_studio.annotate(3, 30, [{"type": "relation", "value": deep}])
    monkeypatch.setattr(outlines, "MAX_WORK", 10_000)
    assert bench.sync().changed == 3
    assert (bench.kept(10).problem, bench.kept(10).cost) == (TOO_COMPLEX, None)
    assert (bench.kept(20).problem, bench.kept(20).cost) == (None, 1)
    assert (bench.kept(30).problem, bench.kept(30).result) == (TOO_DEEP, [])
    assert bench.counting().keys() >= {2}
    assert [head.id for head in bench.learning.heads(1) if head.problem is None] == [20]


def test_what_is_kept_apart_is_not_looked_at_again_until_it_changes(store_url, monkeypatch):
    bench = Bench(store_url)
    bench.label_studio.add_task(1, Prediction(1, "v1", stacked(300, 0, "a"), 0.5, id=1))
    bench.label_studio.annotate(1, 10, stacked(300, 0.5, "b"), parent_prediction=1)
    monkeypatch.setattr(outlines, "MAX_WORK", 10_000)
    bench.sync()
    monkeypatch.setattr(outlines, "MAX_WORK", 1)
    looked: list[int] = []
    monkeypatch.setattr("ml_backend.learn.annotation_sync.diff", lambda *_: looked.append(1) or ())
    monkeypatch.setattr(bench.label_studio, "annotated_tasks", lambda *_, **__: iter(()))
    bench.synchroniser.sync(1, compare=True)
    assert looked == []


def test_a_lone_surrogate_stops_no_sync(store_url):
    bench = Bench(store_url)
    bench.label_studio.add_task(1, Prediction(1, "v1", NAME, 0.5, id=1))
    bench.label_studio.annotate(1, 10, region("a", (100, 50, 300, 80), "Maria \ud800", "NAME"), parent_prediction=1)
    assert bench.sync().changed == 1
    assert [each.text_after for each in bench.learning.corrections(10)] == ["Maria \ufffd"]


def test_the_doctor_names_the_tasks(make_settings, monkeypatch):
    settings = make_settings()
    system = System(settings, open_engine(settings.store_url))
    assert [seen.state for seen in look_at_annotations(system)] == ["ok"]
    bench = Bench(settings.store_url)
    bench.label_studio.add_task(7, Prediction(7, "v1", stacked(300, 0, "a"), 0.5, id=1))
    bench.label_studio.annotate(7, 10, stacked(300, 0.5, "b"), parent_prediction=1)
    monkeypatch.setattr(outlines, "MAX_WORK", 10_000)
    bench.sync()
    (seen,) = look_at_annotations(system)
    assert (seen.state, "1/7" in str(seen.found)) == ("warning", True)


def test_regions_and_points_are_bounded(monkeypatch):
    monkeypatch.setattr(regions, "MAX_REGIONS", 5)
    assert len(read_result(spread(5, 0, "a"), CONFIG).regions) == 5
    read = read_result(spread(6, 0, "a"), CONFIG)
    assert (read.regions, [each.reason for each in read.skipped]) == ((), [TOO_MANY])
    monkeypatch.setattr(regions, "MAX_POINTS", 100)
    assert read_result(crossing(101)[:1], CONFIG).regions == ()
    assert len(read_result(crossing(100)[:1], CONFIG).regions) == 1
    (skipped,) = read_result([{"id": "a", "type": "ellipse" + "x" * 10**6, "value": {}}], CONFIG).skipped
    assert len(skipped.reason) < 100


def test_nesting_is_counted_without_recursion():
    value: Any = {}
    for _ in range(100_000):
        value = {"a": [value]}
    assert nested_too_deep(value)
    assert not nested_too_deep(json.loads('{"a": [[{"b": [1, "x", null]}]]}'), None)
    while value:  # taken apart from outside: the interpreter would do it by recursion
        value = value["a"].pop()


def test_blocks_of_an_application_are_refused_where_they_cannot_be_compared(monkeypatch):
    monkeypatch.setattr(outlines, "MAX_WORK", 10_000)
    before = [TextBlock(f"a{n}", "x", Box(0, 0, 10 + n / 1000, 10)) for n in range(100)]
    after = [TextBlock(f"b{n}", "x", Box(0, 0, 10 + n / 1000, 11)) for n in range(100)]
    with pytest.raises(RequestError, match="compared"):
        compare(before, after)


def test_thousands_of_regions_on_a_page_are_tagged_in_time():
    lines = tuple(line(40 + 35 * row, *((f"w{n}", n * 100, n * 100 + 80) for n in range(9))) for row in range(12))
    page = Page(WIDTH, HEIGHT, lines)
    everywhere = [
        part for n in range(2000) for part in region(f"r{n}", (0, 0, WIDTH - n / 1000, HEIGHT), "some text", "NAME")
    ]
    drawn = read_result(everywhere, CONFIG).regions
    assert len(drawn) == 2000
    start = time.process_time()
    tags = tag_page(page, drawn, {"NAME": "NAME"}).tags
    assert {tag[2:] for tag in tags} == {"NAME"}
    assert line_samples(page, drawn) == ()
    assert time.process_time() - start < SECONDS


def test_thousands_of_labels_and_images_are_read_in_time():
    start = time.process_time()
    labels = tuple(Label(f"Label {n} / x{n}") for n in range(20_000))
    for _ in range(20):
        assert match_labels(["NAME", "PHONE"], (*labels, Label("Phone / Fax"))) == {"PHONE": "Phone / Fax"}
    every = ",".join(f"i{n}" for n in range(300))
    images = "".join(f'<Image name="i{n}" value="$i{n}"/>' for n in range(300))
    controls = f'<RectangleLabels name="l" toName="{every}"><Label value="NAME"/></RectangleLabels>' * 300
    texts = f'<TextArea name="t" toName="{every}" perRegion="true"/>'
    assert len(parse_label_config(f"<View>{images}{controls}{texts}</View>").targets) == 300
    assert time.process_time() - start < SECONDS


def test_thousands_of_regions_that_cannot_be_used_are_passed_in_no_time() -> None:
    def unusable(kind: str, number: int) -> dict[str, Any]:
        common = {"id": f"{kind}{number}", "type": kind, "from_name": "label", "to_name": "image"}
        value = {"x": 10 + number * 0.001, "y": 10, "width": 50, "height": 0}
        return common | {"original_width": WIDTH, "original_height": HEIGHT, "value": value}

    page = Page(
        WIDTH, HEIGHT, tuple(line(y, *((f"w{x}", x, x + 15) for x in range(0, 900, 20))) for y in range(0, 450, 40))
    )
    skipped = read_result(
        [unusable(kind, number) for kind in ("keypoint", "rectanglelabels") for number in range(4000)], CONFIG
    ).skipped
    started = time.monotonic()
    tagged = tag_page(page, [], {"NAME": "NAME"}, skipped)
    assert time.monotonic() - started < SECONDS
    assert len(skipped) == 8000
    assert tagged.ignored == 45
