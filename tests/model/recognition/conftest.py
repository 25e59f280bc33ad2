"""The wheel's recogniser, and lines drawn in whatever fonts the machine has."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from model.ocr.files import recogniser_file
from model.recognition.backbone import Backbone
from model.recognition.lines import FeatureLine
from model.recognition.shipped import shipped_head


@pytest.fixture(scope="session")
def onnx_file() -> Path:
    found = recogniser_file(None)
    assert found is not None
    return found


@pytest.fixture(scope="session")
def backbone(onnx_file):
    return Backbone(onnx_file, 1)


@pytest.fixture(scope="session")
def head():
    return shipped_head()


def printed(text: str, size: int = 32) -> np.ndarray:
    """Return a crop of one line in Pillow's own font."""
    font = ImageFont.load_default(size)
    image = Image.new("RGB", (round(font.getlength(text)) + size, round(1.5 * size)), "white")
    ImageDraw.Draw(image).text((size // 2, round(1.1 * size)), text, fill="black", font=font, anchor="ls")
    return np.asarray(image)


def made_up_lines(seed: int, count: int, characters: str, *, features: int = 12) -> list[FeatureLine]:
    """Return lines whose features are one direction a character, a little noisy, with blanks between."""
    rng = np.random.default_rng(seed)
    directions = np.random.default_rng(0).normal(0, 3, (64, features))
    lines = []
    for _ in range(count):
        text = "".join(rng.choice(list(characters), rng.integers(3, 9)))
        rows = []
        for character in text:
            rows += [directions[ord(character) % 63 + 1]] * 2 + [directions[0]]
        lines.append(FeatureLine((np.array(rows) + rng.normal(0, 0.3, (len(rows), features))).astype(np.float32), text))
    return lines
