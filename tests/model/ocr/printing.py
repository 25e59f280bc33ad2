"""Prints pages whose words and ink are known."""

from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from model.document.types import Box


@dataclass
class Print:
    """A page on which lines are printed; ``words`` tells for each word where its ink is."""

    width: int = 1050
    height: int = 600
    paper: tuple[int, int, int] = (255, 255, 255)
    words: list[tuple[str, Box]] = field(default_factory=list)

    def __post_init__(self):
        self.sheet = Image.new("RGB", (self.width, self.height), self.paper)

    def line(self, x, y, text, *, size=36, ink=(20, 20, 60)):
        """Print one line with its upper left corner at ``(x, y)``."""
        font = ImageFont.load_default(size=size)
        draw = ImageDraw.Draw(self.sheet)
        for word in text.split():
            draw.text((x, y), word, font=font, fill=ink)
            self.words.append((word, Box(*draw.textbbox((x, y), word, font=font))))
            # A space as wide as in most fonts; the one of this font is too narrow for a recogniser.
            x += draw.textlength(word, font=font) + 0.45 * size
        return self

    @property
    def texts(self):
        """The words in the order in which they were printed."""
        return [text for text, _ in self.words]

    @property
    def image(self):
        """The page as pixels."""
        return np.asarray(self.sheet)

    def turned(self, degrees):
        """The page turned clockwise about its middle, as pixels; ``words`` does not follow."""
        turned = self.sheet.rotate(-degrees, expand=True, fillcolor=self.paper, resample=Image.Resampling.BICUBIC)
        return np.asarray(turned)


def card():
    """Return a printed business card."""
    page = Print()
    page.line(60, 60, "Johanna A. Smith-Jones", size=54).line(60, 140, "Senior Sales Manager", size=34)
    page.line(60, 300, "Phone: (030) 555-0123").line(560, 300, "Fax: (030) 555-0199")
    return (
        page.line(60, 370, "j.smith@example.com").line(60, 440, "www.example.com").line(60, 510, "10 Rose Lane, Leeds")
    )
