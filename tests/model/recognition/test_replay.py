"""Rendered lines ship as pictures, hold each character, and are looked at once by whoever sees crops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model.errors import RecogniserError
from model.recognition.charset import DEFAULT_LANGUAGES, charset_of
from model.recognition.pictures import FILE, PictureLine, load_pictures, save_pictures
from model.recognition.replay import RenderedLines
from model.recognition.scripts import settled
from model.recognition.shipped import SHIPPED_RECOGNISER
from tests.model.recognition.conftest import printed


class Eyes:
    """Sees the brightness of each column, and counts how often it looks."""

    def __init__(self, digest: str) -> None:
        self.digest, self.looked = digest, 0

    def features(self, crops):
        self.looked += len(crops)
        return [crop.mean(axis=(0, 2)).astype(np.float32)[:, None] for crop in crops]


def pictures() -> list[PictureLine]:
    lines = [("Tea", "en", False, False), ("Чай", "ru", True, False), ("word№", "en", True, True)]
    return [
        PictureLine(printed(text, 30)[:45], text, language, measures, rare) for text, language, measures, rare in lines
    ]


def test_the_lines_that_ship_hold_each_character_for_either_purpose_and_take_little_room() -> None:
    lines = load_pictures()
    for measures in (False, True):
        seen = {c for line in lines if line.measures == measures for c in line.text}
        assert set(charset_of(DEFAULT_LANGUAGES)) <= seen
    ordinary = [line for line in lines if line.measures and not line.rare]
    assert sum(len(line.text) for line in ordinary) > 10_000
    assert {"en", "ru", "uk", "bg"} <= {line.language for line in ordinary}
    assert all(line.picture.shape[0] == 48 and settled(line.text) == line.text for line in lines)
    assert (SHIPPED_RECOGNISER / FILE).stat().st_size < 2_000_000


def test_pictures_come_back_as_they_were_but_for_colour_and_compression(tmp_path: Path) -> None:
    save_pictures(pictures(), tmp_path / FILE)
    again = load_pictures(tmp_path / FILE)
    for before, after in zip(pictures(), again, strict=True):
        assert (after.text, after.language) == (before.text, before.language)
        assert (after.measures, after.rare) == (before.measures, before.rare)
        assert np.abs(after.picture.astype(int) - before.picture).mean() < 8


def test_a_damaged_file_is_a_clear_error(tmp_path: Path) -> None:
    for content in (None, b"PK no", (SHIPPED_RECOGNISER / FILE).read_bytes()[:5000]):
        if content is not None:
            (tmp_path / FILE).write_bytes(content)
        with pytest.raises(RecogniserError, match="cannot be read"):
            load_pictures(tmp_path / FILE)


def test_each_picture_is_looked_at_once_by_each_backbone(tmp_path: Path) -> None:
    lines = RenderedLines(tmp_path, pictures)
    eyes = Eyes("one")
    first, again = lines(eyes), lines(eyes)
    assert eyes.looked == 3
    assert [line.text for line in first.ordinary] == ["Tea"]
    assert [line.text for line in first.ordinary_measuring] == ["Чай"]
    assert [line.text for line in first.rare_measuring] == ["word№"]
    assert first.rare == []
    assert first.complete
    kept, fresh = again.ordinary[0].features, first.ordinary[0].features
    assert np.abs(kept - fresh).max() < 2
    other = Eyes("two")
    lines(other)
    assert other.looked == 3


def test_what_was_kept_of_other_pictures_or_is_damaged_is_computed_anew(tmp_path: Path) -> None:
    eyes = Eyes("one")
    RenderedLines(tmp_path, lambda: pictures()[:2])(eyes)
    assert [line.text for line in RenderedLines(tmp_path, pictures)(eyes).rare_measuring] == ["word№"]
    (tmp_path / "one.npz").write_bytes(b"damaged")
    assert len(RenderedLines(tmp_path, pictures)(eyes).ordinary) == 1
    assert eyes.looked == 2 + 3 + 3
