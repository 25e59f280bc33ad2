"""Pages of made-up receipts: lines of print at given heights."""

from __future__ import annotations

from model.document.bio import OUTSIDE
from model.document.types import Box, Line, Page, Word

WIDTH, HEIGHT = 600, 900
SHOPS = (
    "Blue Harbour Cafe",
    "Corner Bakery",
    "Old Mill Foods",
    "Sunny Side Diner",
    "Market Hall Deli",
    "North Gate Inn",
)


def line(y: float, x: float, text: str, size: float = 20.0) -> Line:
    """A level line whose words are as wide as their letters."""
    words, left = [], x
    for word in text.split():
        right = left + 0.5 * size * len(word)
        words.append(Word(word, Box(left, y, right, y + size), 0.99))
        left = right + 0.5 * size
    around = Box.around(word.box for word in words)
    return Line(text, around.polygon(), 0.99, tuple(words))


def page(*lines: Line) -> Page:
    """A page of a receipt's shape."""
    return Page(WIDTH, HEIGHT, lines)


def receipt(shop: str, street: str, day: str, hour: str, total: str, tax: str) -> Page:
    """A receipt with its amounts in a column of their own, as the reader sees them: two lines in a row."""
    return page(
        line(20, 200, shop, 30),
        line(60, 180, street),
        line(100, 40, f"Date {day}"),
        line(100, 340, hour),
        line(160, 40, "Coffee"),
        line(160, 480, "3.40"),
        line(190, 40, "Cake"),
        line(190, 480, "4.10"),
        line(260, 40, "Sub Total"),
        line(260, 480, "7.50"),
        line(290, 40, "VAT"),
        line(290, 480, tax),
        line(320, 40, "Total"),
        line(320, 480, total),
        line(400, 40, "Thank you"),
    )


def receipts(count: int, first: int = 0) -> list[Page]:
    """Receipts of some shops; each number has its own."""
    made = []
    for n in range(first, first + count):
        day, hour = f"{n % 28 + 1:02}/05/2024", f"{n % 12 + 8}:{n % 50 + 10}"
        total, tax = f"{n + 9}.{n % 90 + 10}", f"0.{n % 90 + 10}"
        made.append(receipt(SHOPS[n % len(SHOPS)], f"{n + 3} Elm Street", day, hour, total, tax))
    return made


def truth(made: Page) -> list[str]:
    """The tags that a person gives: the shop's name, and what stands right of its key."""
    tags = []
    lines = [each.text for each in made.lines]
    for number, each in enumerate(made.lines):
        if number == 0:
            tags += ["B-COMPANY", *["I-COMPANY"] * (len(each.words) - 1)]
        elif each.text.startswith("Date"):
            tags += [OUTSIDE, "B-DATE"]
        elif ":" in each.text:
            tags.append("B-TIME")
        else:
            field = {"Total": "TOTAL", "Sub Total": "SUBTOTAL", "VAT": "TAX"}.get(lines[number - 1])
            tags += [f"B-{field}"] if field else [OUTSIDE] * len(each.words)
    return tags
