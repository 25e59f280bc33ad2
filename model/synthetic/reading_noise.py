"""How often which damage happens to a page that is read."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace


@dataclass(frozen=True, slots=True)
class ReadingNoise:
    """How often each kind of damage happens; all rates lie in ``[0, 1]``, and all at 0 leave the page as it is.

    The defaults are near what PP-OCRv6 does to drawn cards: of 100 spaces it loses 6 between plain words, 12 behind
    labels and 3 behind numbers, and of 1,000 characters it takes 5 for others.

    Attributes:
        glue: A space between two words is lost.
        glue_label: The space after a label that ends in a colon or period is lost.
        glue_line: All spaces of a line are lost.
        split: A word of five characters or more falls in two.
        split_symbol: A word falls in two at ``@``, ``.``, ``:``, ``-`` or ``/``.
        misread: A character is taken for one that looks like it.
        case: A letter whose two cases look alike changes its case.
        lose_mark: A period, comma, colon or hyphen is not seen.
        drop_word: A word is lost.
        drop_line: A line is lost.
        garble_line: A line is read as nonsense, as handwriting and ornamental type are.
        merge: Two lines that stand side by side are read as one.
        break_gap: A line falls in two at a wide gap.
        break_line: A line falls in two at any space.
        stray: A line gains a short nonsense word at its start, from an icon or a bullet.
        jitter: How far boxes stray from the ink; 1 is as far as PP-OCRv6's do.
        lose_cyrillic: The whole page is read by a recogniser without Cyrillic, which sees few of its letters. The one
            that ships knows Cyrillic.
    """

    glue: float = 0.05
    glue_label: float = 0.14
    glue_line: float = 0.015
    split: float = 0.003
    split_symbol: float = 0.008
    misread: float = 0.007
    case: float = 0.003
    lose_mark: float = 0.012
    drop_word: float = 0.003
    drop_line: float = 0.006
    garble_line: float = 0.006
    merge: float = 0.6
    break_gap: float = 0.8
    break_line: float = 0.003
    stray: float = 0.03
    jitter: float = 1.0
    lose_cyrillic: float = 0.0

    def __post_init__(self) -> None:
        for each in fields(self):
            if not 0 <= getattr(self, each.name) <= 1:
                raise ValueError(f"{each.name} must lie between 0 and 1")

    @staticmethod
    def none() -> ReadingNoise:
        """Return noise that changes nothing."""
        return ReadingNoise(**{each.name: 0.0 for each in fields(ReadingNoise)})

    def scaled(self, factor: float) -> ReadingNoise:
        """Return the same mixture, ``factor`` times as frequent, no rate above 1."""
        return replace(self, **{each.name: min(1.0, getattr(self, each.name) * factor) for each in fields(self)})
