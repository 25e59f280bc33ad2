"""From the columns at which a CTC recogniser fired to the places of characters along a line."""

from __future__ import annotations

from collections.abc import Sequence


def character_centres(
    groups: Sequence[Sequence[str]], columns: Sequence[Sequence[int]], length: float
) -> tuple[float, ...]:
    """Return where each character that is no white space stands, as a share of the line's length.

    Both PP-OCR libraries report, with their word boxes, groups of characters and the output column of each. How they
    group differs (PaddleOCR parts at punctuation, RapidOCR at changes of script and wide gaps) and does not matter.

    Args:
        groups: Characters of each group.
        columns: Output column of each character, same shape.
        length: How many columns the line itself takes, without the padding of its batch; not whole.

    Returns:
        Shares in ``[0, 1]``, one a character; empty if the report is inconsistent.
    """
    if length <= 0:
        return ()
    centres = []
    for group, places in zip(groups, columns, strict=True):
        if len(group) != len(places):
            return ()
        centres += [
            min((column + 0.5) / length, 1.0)
            for character, column in zip(group, places, strict=True)
            if character.strip()
        ]
    return tuple(centres)
