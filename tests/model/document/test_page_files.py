"""PDF and TIFF files to page images, and what is refused of them."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import psutil
import pytest
from PIL import Image

from model.document.images import load_image
from model.document.page_files import PageLimits, is_paged, page_files, split_pages
from model.errors import ImageError
from tests.conftest import card_png, print_card
from tests.paged import empty_pdf, paged

LIMITS = PageLimits(max_bytes=10**7, max_pages=20, max_pixels=10**7)
CARDS = [print_card([f"Sheet {number}"], size=(320 + 40 * number, 200)) for number in range(3)]


def pixels(page: bytes) -> np.ndarray:
    return load_image(page, max_bytes=10**8, max_pixels=10**8)


@pytest.mark.parametrize("kind", ["PDF", "TIFF"])
def test_pages_come_in_their_order_as_a_reader_shows_them(kind: str) -> None:
    data = paged(CARDS, kind)  # type: ignore[arg-type]
    assert is_paged(data)
    pages = list(split_pages(data, LIMITS))
    assert len(pages) == 3
    for page, card in zip(pages, CARDS, strict=True):
        shown = pixels(page)
        assert shown.shape == (card.height, card.width, 3)
        # A PDF keeps its images as JPEG.
        assert np.abs(shown.astype(int) - np.asarray(card).astype(int)).mean() < 3


def test_an_image_is_its_only_page() -> None:
    for data in (card_png("Ada"), paged(CARDS[:1], "TIFF"), b"no image", b""):
        assert not is_paged(data)
        assert list(page_files(data, LIMITS)) == [data]


def test_pages_of_a_pdf_are_drawn_at_the_resolution_that_was_asked_for() -> None:
    (page,) = split_pages(empty_pdf((72, 144)), replace(LIMITS, dpi=100))
    assert pixels(page).shape == (200, 100, 3)


def test_a_large_page_is_drawn_at_less_and_a_huge_one_refused() -> None:
    (page,) = split_pages(empty_pdf((2000, 1000)), replace(LIMITS, max_pixels=4_000_000))
    height, width = pixels(page).shape[:2]
    assert 3_900_000 < width * height <= 4_000_000
    with pytest.raises(ImageError, match=r"200 × 200 inches.*MAX_IMAGE_PIXELS"):
        list(split_pages(empty_pdf((14_400, 14_400)), LIMITS))
    with pytest.raises(ImageError, match=r"Page 2 of the TIFF has 360 × 200 pixels.*MAX_IMAGE_PIXELS"):
        list(split_pages(paged(CARDS, "TIFF"), replace(LIMITS, max_pixels=320 * 200)))


def test_a_photograph_is_kept_as_jpeg() -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (900, 900, 3), dtype=np.uint8))
    first, _ = split_pages(paged([noise, CARDS[0]], "TIFF"), LIMITS)
    assert first.startswith(b"\xff\xd8\xff")
    assert len(first) < 1_500_000


def encrypted_pdf() -> bytes:
    """A PDF that opens with a password only: what its encryption dictionary says is all that matters here."""
    plain = paged(CARDS[:1])
    encryption = b"<< /Filter /Standard /V 1 /R 2 /P -4 /O <" + b"ab" * 32 + b"> /U <" + b"cd" * 32 + b"> >>"
    start = plain.rindex(b"trailer")
    end = plain.index(b">>", start)
    return plain[:end] + b" /ID [<01><01>] /Encrypt " + encryption + b" " + plain[end:]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (encrypted_pdf(), "encrypted. Save it without a password"),
        (b"%PDF-1.7 and nothing else", "broken or incomplete"),
        (paged(CARDS)[:2000], "broken or incomplete"),
        (paged(CARDS, "TIFF")[:-2000], "broken or incomplete"),
        (empty_pdf(*[(72, 72)] * 10_000), "more than 20 pages, the limit .MAX_PAGES."),
        (paged([Image.new("1", (8, 8))] * 21, "TIFF"), "more than 20 pages, the limit .MAX_PAGES."),
        (b"%PDF-" + bytes(10**7), "more than 10000000 bytes, the limit .MAX_DOCUMENT_BYTES."),
    ],
    ids=["encrypted", "empty", "cut pdf", "cut tiff", "many pages", "many tiff pages", "large"],
)
def test_what_cannot_be_used_is_said_at_once(data: bytes, reason: str) -> None:
    start = time.monotonic()
    with pytest.raises(ImageError, match=reason):
        list(split_pages(data, LIMITS))
    assert time.monotonic() - start < 20


def test_a_page_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.document.page_files.START_SECONDS", 0.0)
    with pytest.raises(ImageError, match="took more than 0 s"):
        list(split_pages(paged(CARDS), replace(LIMITS, page_seconds=0.01)))


def test_a_page_that_takes_too_much_memory_is_given_up() -> None:
    with pytest.raises(ImageError, match=r"too much memory|cannot be drawn"):
        list(split_pages(empty_pdf((14_400, 14_400)), replace(LIMITS, max_pixels=10**10, memory_bytes=10**9)))


def test_no_more_is_drawn_than_is_asked_for() -> None:
    pages = split_pages(paged(CARDS * 6), LIMITS)
    next(pages)
    start = time.monotonic()
    pages.close()
    assert time.monotonic() - start < 5


def test_the_renderer_has_no_secret_in_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the process is started with is looked at while it draws."""
    secrets = {"LABEL_STUDIO_API_KEY": "a-token", "DATABASE_URL": "postgresql://u:p@h/d", "WHATEVER_ELSE": "a-password"}
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    pages = split_pages(paged(CARDS, "PDF"), LIMITS)
    next(pages)
    (renderer,) = [
        child for child in psutil.Process().children() if "model.document.page_renderer" in " ".join(child.cmdline())
    ]
    environment = renderer.environ()
    pages.close()
    assert "PYTHONPATH" in environment
    assert not secrets.keys() & environment.keys()
    assert not {"a-token", "a-password"} & set(environment.values())
