"""Decoded images do not add up: a process holds so many pixels and no more."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from model.document import decode_budget
from model.document.decode_budget import DecodeBudget, process_budget, set_process_budget
from model.document.images import load_image
from model.errors import ImageBusyError, ImageError

MEGAPIXEL = 1_000_000


def pixels(number: int) -> np.ndarray:
    return np.zeros((number // 1000, 1000, 3), np.uint8)


@pytest.fixture
def budget(monkeypatch):
    """The process's own, of three megapixels and little patience."""
    small = DecodeBudget(3, wait_seconds=0.1)
    monkeypatch.setattr(decode_budget, "_of_process", small)
    return small


def png(width, height, mode="L"):
    file = BytesIO()
    Image.new(mode, (width, height)).save(file, "PNG")
    return file.getvalue()


def load(data):
    return load_image(data, max_bytes=10**8, max_pixels=10**8)


def test_what_is_held_counts_until_nobody_holds_it(budget):
    first = load(png(1000, 1000))
    second = load(png(1000, 1000))
    assert budget.held == 2 * MEGAPIXEL
    part = first[10:20, 10:20]
    del first
    gc.collect()
    # A part of an image keeps all of it in memory.
    assert budget.held == 2 * MEGAPIXEL
    del part, second
    gc.collect()
    assert budget.held == 0


def test_who_finds_no_place_in_time_is_told(budget):
    held = [load(png(1000, 1000)) for _ in range(3)]
    with pytest.raises(ImageBusyError, match=r"together they may have 3 megapixels \(DECODE_BUDGET_MEGAPIXELS\)"):
        load(png(1000, 1000))
    held.pop()
    assert load(png(1000, 1000)).shape == (1000, 1000, 3)


def test_an_image_larger_than_the_budget_is_decoded_alone(budget):
    large = load(png(2000, 2000))
    with pytest.raises(ImageBusyError):
        load(png(10, 10))
    del large
    assert load(png(10, 10)).shape == (10, 10, 3)


def test_what_cannot_be_decoded_gives_its_place_back(budget):
    data = png(1000, 1000)
    for _ in range(5):
        with pytest.raises(ImageError):
            load(data[: len(data) // 2])
    assert budget.held == 0


def test_large_images_at_once_wait_for_one_another_and_all_are_decoded():
    budget = DecodeBudget(10, wait_seconds=30)
    most, decoding, most_decoding = 0, 0, 0
    lock = threading.Lock()
    second, done = threading.Barrier(2), threading.Semaphore(0)

    def work() -> np.ndarray:
        nonlocal decoding, most_decoding
        with lock:
            decoding += 1
            most_decoding = max(most_decoding, decoding)
        time.sleep(0.01)
        with lock:
            decoding -= 1
        return pixels(5 * MEGAPIXEL)

    def one() -> None:
        nonlocal most
        image = budget.decode(5 * MEGAPIXEL, work)
        # Two have their images at a time, and no third one has: each waits until another one has its own.
        second.wait(30)
        with lock:
            most = max(most, budget.held)
        second.wait(30)
        del image
        done.release()

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert all(done.acquire(timeout=0) for _ in range(8))
    assert (most, most_decoding) == (10 * MEGAPIXEL, 1)
    assert budget.held == 0


def test_the_budget_of_the_process_is_set(monkeypatch):
    monkeypatch.setattr(decode_budget, "_of_process", DecodeBudget())
    set_process_budget(0.5)
    held = process_budget().decode(MEGAPIXEL // 2, lambda: pixels(MEGAPIXEL // 2))
    assert not process_budget()._admitted(1)
    del held


PEAK = """
import resource, sys
from model.document.images import load_image
data = sys.stdin.buffer.read()
load_image(data[:0] or open(sys.argv[1], "rb").read(), max_bytes=10**8, max_pixels=10**8)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
load_image(data, max_bytes=10**8, max_pixels=10**8)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@pytest.mark.parametrize(
    ("mode", "form", "most"),
    [("RGBA", "PNG", 9), ("P", "PNG", 7), ("F", "TIFF", 9), ("turned", "JPEG", 9), ("L", "PNG", 7)],
)
def test_decoding_makes_no_needless_copies_of_a_page(mode, form, most, tmp_path):
    """So many bytes a pixel at the peak: what the decoder holds, the RGB pixels, and strips in between."""

    def written(side):
        file, options = BytesIO(), {}
        image = Image.new("RGB" if mode == "turned" else mode, (side, side))
        if mode == "turned":
            options["exif"] = Image.Exif()
            options["exif"][0x0112] = 6
        image.save(file, form, **({"compression": "tiff_adobe_deflate"} if form == "TIFF" else {}), **options)
        return file.getvalue()

    side = 5000
    (tmp_path / "small").write_bytes(written(50))
    arguments = [sys.executable, "-c", PEAK, str(tmp_path / "small")]
    done = subprocess.run(
        arguments, input=written(side), capture_output=True, timeout=120, check=True, env=dict(os.environ)
    )
    assert int(done.stdout) / side**2 < most + 1, done.stdout
