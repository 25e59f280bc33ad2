"""What a recogniser makes of one crop."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recognised:
    """What a recogniser makes of one crop.

    Attributes:
        text: As the library returns it; may be empty.
        score: In ``[0, 1]``.
        centres: Where the middle of each character that is no white space stands, as a share of the crop's width in
            ``[0, 1]``, ascending. Empty where the library does not tell.
        margin: How far the text leads the next best one, in ``[0, 1]``
            (:func:`model.recognition.ambiguity.path_margin`); None where the recogniser cannot tell.
    """

    text: str
    score: float
    centres: tuple[float, ...]
    margin: float | None = None
