import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import model.synthetic.demo
from model.document.bio import FIELDS
from model.synthetic.demo import MOST_BYTES, write_demo

SHIPPED = Path(model.synthetic.demo.__file__).parent


@pytest.fixture(scope="module")
def truth():
    return json.loads((SHIPPED / "truth.json").read_text(encoding="utf-8"))


def test_two_dozen_small_cards_ship_with_their_truth(truth):
    files = sorted(SHIPPED.glob("*.jpg"))
    assert [file.name for file in files] == sorted(truth)
    assert len(files) == 24
    assert all(file.stat().st_size <= MOST_BYTES for file in files)


def test_the_shipped_truth_lies_on_ink(truth):
    for name, card in truth.items():
        image = np.asarray(Image.open(SHIPPED / name).convert("RGB")).astype(int)
        assert image.shape == (card["height"], card["width"], 3)
        for word in card["words"]:
            x0, y0, x1, y1 = word["box"]
            inside = image[int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))].sum(axis=2)
            assert np.ptp(inside) > 40, (name, word)


def test_the_shipped_cards_are_complete_and_in_two_alphabets(truth):
    fields = {entry["field"] for card in truth.values() for entry in card["fields"]}
    assert fields == set(FIELDS)
    cyrillic = [card for card in truth.values() if card["locale"][:2] in ("ru", "uk", "bg", "mk")]
    assert 5 <= len(cyrillic) <= 12
    for card in cyrillic:
        assert any("\u0400" <= letter <= "\u04ff" for word in card["words"] for letter in word["text"])
    assert len({card["locale"] for card in truth.values()}) >= 10


def test_writing_the_cards_twice_gives_the_same_files(fonts, tmp_path):
    first, second = (write_demo(tmp_path / name, fonts, cards=4) for name in ("a", "b"))
    assert len(first) == 4
    assert [f.read_bytes() for f in first] == [f.read_bytes() for f in second]
    assert (tmp_path / "a/truth.json").read_bytes() == (tmp_path / "b/truth.json").read_bytes()
