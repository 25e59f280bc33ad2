"""Corrected lines are cut out once and teach a head that reads them, with the real backbone that ships."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from ml_backend.errors import ImageFetchError
from ml_backend.learn.dataset import LabelledDocument
from ml_backend.learn.line_crops import LineCrops
from ml_backend.learn.recogniser_training import LearnedHead, RecogniserServices, forgetting_of, train_recogniser
from ml_backend.learn.tagging import LineSample
from model.document.images import image_key
from model.document.types import Box, Page
from model.evaluation.recogniser_gate import LineGate
from model.ocr.files import recogniser_file
from model.ocr.incremental_reread import load_steps
from model.recognition.backbone import Backbone, LineFeatures
from model.recognition.head import FILE, Head
from model.recognition.lines import FeatureLine
from model.recognition.lower import Lower
from model.recognition.replay import Rendered
from model.recognition.shipped import head_for
from model.recognition.training import HeadPlan
from model.registry.version_files import compose, recogniser_of
from tests.conftest import png
from tests.ml_backend.backend import ImageTable

PROJECT, TASKS, LINES = 1, 14, 3
HELD_OUT = frozenset(range(11, TASKS + 1))
WORDS = ("Tea", "Rice", "Milk", "Bread", "Salt", "Soup", "Cake", "Corn", "Plum", "Fish")


def draw(texts: Sequence[str]) -> Image.Image:
    image = Image.new("RGB", (360, 20 + 50 * len(texts)), "white")
    canvas = ImageDraw.Draw(image)
    for row, text in enumerate(texts):
        canvas.text((14, 14 + 50 * row), text, fill="black", font=ImageFont.load_default(30))
    return image


def receipts() -> list[tuple[LabelledDocument, bytes]]:
    """Receipts on which "#" is printed where people write «₸», the sign of the tenge."""
    chance = random.Random(4)
    made = []
    for task in range(1, TASKS + 1):
        texts = [f"{chance.choice(WORDS)} {chance.randrange(10, 99)}#" for _ in range(LINES)]
        data = png(draw(texts))
        lines = tuple(
            LineSample(Box(6, 8 + 50 * row, 250, 52 + 50 * row).polygon(), text.replace("#", "₸"))
            for row, text in enumerate(texts)
        )
        page = Page(360, 20 + 50 * LINES, ())
        made.append((LabelledDocument(task, task, "image", image_key(data), page, (), lines, f"receipt-{task}"), data))
    return made


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    path = recogniser_file(None)
    assert path is not None
    return Backbone(path, threads=1)


@cache
def rendered(sight: LineFeatures) -> Rendered:
    """Lines that nobody corrected, as a backbone, or what lies below its neck, sees them."""
    chance = random.Random(5)
    texts = [f"{chance.choice(WORDS)} {chance.choice(WORDS)} {chance.randrange(10, 999)}" for _ in range(40)]
    crops = [np.asarray(draw([text]).crop((6, 8, 340, 52))) for text in texts]
    lines = [FeatureLine(f, text, "en") for f, text in zip(sight.features(crops), texts, strict=True)]
    return Rendered(lines[:20], [], lines[20:], [])


class Shop:
    """What learning to read works with, its images in memory."""

    def __init__(self, folder: Path, backbone: Backbone) -> None:
        self.documents = [document for document, _ in receipts()]
        self.images = ImageTable(**{document.url: data for document, data in receipts()})
        self.crops = LineCrops(
            folder / "lines", self.images, SimpleNamespace, max_image_bytes=10**7, max_image_pixels=10**7
        )  # type: ignore[arg-type]
        self.base = folder / "base"
        self.base.mkdir()
        (self.base / "config.json").write_text("{}")
        self.services = RecogniserServices(
            self.crops,
            lambda: backbone,
            lambda _, recogniser: head_for(backbone, recogniser),
            rendered,
            SimpleNamespace,  # type: ignore[arg-type]
            SimpleNamespace,  # type: ignore[arg-type]
            ("latin", "cyrillic"),
            HeadPlan(budget_seconds=15, passes=60),
            LineGate(min_lines=9, forgetting_margin=0.005),
            copies=30,
        )

    def teach(
        self, documents: Sequence[LabelledDocument] | None = None, base: Path | None = None
    ) -> LearnedHead | None:
        chosen = self.documents if documents is None else documents
        rng = np.random.default_rng(0)
        return train_recogniser(self.services, PROJECT, chosen, HELD_OUT, base or self.base, "engine-1", rng)


@pytest.fixture
def shop(tmp_path: Path, backbone: Backbone) -> Shop:
    return Shop(tmp_path, backbone)


def test_a_sign_that_people_correct_is_read_on_documents_never_learned_from(shop: Shop, tmp_path: Path) -> None:
    taught = shop.teach()
    assert taught is not None
    assert taught.decision.promote, taught.decision
    assert (taught.lines, taught.after.lines) == (30, 12)
    assert taught.before.right == 0
    assert taught.after.cer < taught.before.cer / 2
    assert taught.head.knows("₸")
    assert taught.steps[0].engine_version == "engine-1"
    assert taught.steps[0].concerns("Tea 12#", 1.0)

    taught.save(tmp_path / "recogniser")
    version = compose(tmp_path / "version", extractor=shop.base, recogniser=tmp_path / "recogniser")
    assert sorted(path.name for path in version.iterdir()) == ["config.json", FILE, "rereading.json"]
    own = recogniser_of(version)
    assert own is not None
    assert Head.load(own).digest == taught.head.digest
    assert load_steps(version) == taught.steps

    again = shop.teach(base=version)
    assert again is None or not again.decision.promote, "there is little left to learn"


def test_the_neck_learns_with_the_head_passes_the_same_gate_and_is_learned_from_again(
    shop: Shop, backbone: Backbone, tmp_path: Path
) -> None:
    lower = Lower(backbone, "neck")
    plan = HeadPlan(budget_seconds=60, passes=5, learning_rate=6e-3)
    shop.services = replace(shop.services, lower=lambda _: lower, plan=plan, copies=0)
    taught = shop.teach()
    assert taught is not None
    assert taught.decision.promote, taught.decision
    assert taught.head.below
    assert taught.after.cer < taught.before.cer / 2

    taught.save(tmp_path / "recogniser")
    version = compose(tmp_path / "version", extractor=shop.base, recogniser=tmp_path / "recogniser")
    # The next run may teach the head alone: it sees lines as the taught layers show them.
    shop.services = replace(shop.services, lower=lambda _: None)
    again = shop.teach(base=version)
    assert again is None or again.before.cer == pytest.approx(taught.after.cer, abs=0.02)
    assert again is None or set(again.head.below) == set(taught.head.below)


def test_lines_are_cut_out_once_and_removed_with_their_annotations(shop: Shop, tmp_path: Path) -> None:
    lines = shop.crops.collect(PROJECT, shop.documents)
    assert len(lines) == TASKS * LINES
    assert shop.crops.crop(PROJECT, lines[0].key).shape[0] == pytest.approx(44, abs=1)
    shop.images.asked.clear()
    assert shop.crops.collect(PROJECT, shop.documents) == lines
    assert shop.images.asked == []
    shop.crops.collect(PROJECT, shop.documents[:2])
    assert len(list((tmp_path / "lines" / str(PROJECT)).glob("*.png"))) == 2 * LINES


def test_features_are_computed_once_and_each_copy_is_always_the_same(shop: Shop, backbone: Backbone) -> None:
    (line, *_) = shop.crops.collect(PROJECT, shop.documents[:1])
    plain = shop.crops.features(PROJECT, line.key, backbone)
    copy = shop.crops.features(PROJECT, line.key, backbone, 1)
    kept = SimpleNamespace(digest=backbone.digest, features=None)
    assert np.allclose(shop.crops.features(PROJECT, line.key, kept), plain, atol=0.05)  # type: ignore[arg-type]
    assert np.allclose(shop.crops.features(PROJECT, line.key, kept, 1), copy, atol=0.05)  # type: ignore[arg-type]
    assert copy.shape != plain.shape or not np.allclose(copy, plain, atol=0.05)


def test_lines_of_images_that_are_gone_or_changed_are_left_out(shop: Shop) -> None:
    first, second, third, *_ = shop.documents
    shop.images.images[second.url] = png(draw(["another"]))
    shop.images.images[third.url] = ImageFetchError("The image does not exist.")
    found = shop.crops.collect(PROJECT, [first, second, third])
    assert {line.task_id for line in found} == {first.task_id}


def test_a_few_lines_teach_nothing(shop: Shop) -> None:
    assert shop.teach(shop.documents[:3]) is None


def test_rendered_lines_of_a_script_that_the_project_lacks_do_not_count(shop: Shop, backbone: Backbone) -> None:
    head = head_for(backbone, None)
    seen = rendered(backbone.under(head))
    russian = [replace(line, text="Чай и рис", language="ru") for line in seen.ordinary_measuring[:5]]
    mixed = replace(seen, ordinary_measuring=[*seen.ordinary_measuring, *russian])
    counted = forgetting_of(head, head, mixed, absent=frozenset({"CYRILLIC"}))
    assert (len(counted.ordinary[0]), set(counted.languages)) == (len(seen.ordinary_measuring), {"en"})
    assert counted.absent == {"CYRILLIC"}
    assert set(forgetting_of(head, head, mixed).languages) == {"en", "ru"}
    # Where nothing else is left to measure with, they count.
    alone = replace(seen, ordinary_measuring=russian)
    assert set(forgetting_of(head, head, alone, absent=frozenset({"CYRILLIC"})).languages) == {"ru"}
