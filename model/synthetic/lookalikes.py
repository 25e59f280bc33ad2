"""Characters that recognisers take for one another."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

_GROUPS = (
    "O0QDo 1lI|i! 5S 8B 6bG 2Z uv nr ce ao tf gq9 hb mn VY CG PR EF UV yv ., :;. -–_ '`´ /lI (CG 4A 7T1 &8 ®R ij kx x× "
    "@G [( )] |I •· рp еe оo аa сc шщ ин пл ьы ЗЭ3 НИ ГТ БВ ёе йи"
)
_SAME_SHAPE = "cosvwxzCOSVWXZрсохРСОХ"
_LATIN_SHAPES = dict(
    zip(
        "АВЕКМНОРСТУХавекмнорстухЗБбГгДдЖжИиЙйЛлПпФфЦцЧчШшЩщЪъЫыЬьЭэЮюЯяЁёзІіЇїЄє",
        [
            "A",
            "B",
            "E",
            "K",
            "M",
            "H",
            "O",
            "P",
            "C",
            "T",
            "Y",
            "X",
            "a",
            "B",
            "e",
            "K",
            "M",
            "H",
            "o",
            "p",
            "c",
            "T",
            "y",
            "x",
            "3",
            "6",
            "6",
            "r",
            "r",
            "D",
            "A",
            "X",
            "x",
            "N",
            "n",
            "N",
            "n",
            "n",
            "n",
            "n",
            "n",
            "O",
            "o",
            "U",
            "u",
            "4",
            "4",
            "W",
            "w",
            "W",
            "w",
            "b",
            "b",
            "bI",
            "bI",
            "b",
            "b",
            "3",
            "3",
            "IO",
            "io",
            "R",
            "R",
            "E",
            "e",
            "3",
            "I",
            "i",
            "I",
            "i",
            "E",
            "e",
        ],
        strict=True,
    )
)
_NONSENSE = "aeiounrstlTIHEFLCO0ojqwmzxv3746|.~-"


@lru_cache(maxsize=1)
def _neighbours() -> dict[str, str]:
    found: dict[str, str] = {}
    for group in _GROUPS.split():
        for c in group:
            found[c] = found.get(c, "") + group.replace(c, "")
    return found


def misread(text: str, rng: np.random.Generator, rate: float, case_rate: float, lost_rate: float) -> str:
    """Return ``text`` with some characters taken for others.

    Args:
        text: One word.
        rng: Where errors come from.
        rate: Probability a character is taken for one that looks like it, lost, or doubled.
        case_rate: Probability that a letter whose cases look alike changes its case.
        lost_rate: Probability that a small mark is not seen.

    Returns:
        What was read; empty where nothing was left.
    """
    draws = rng.random(len(text))
    if draws.min() >= max(rate, case_rate + lost_rate + rate):
        return text
    near, out = _neighbours(), []
    for c, draw in zip(text, draws, strict=True):
        if draw < rate:
            options = near.get(c)
            if options:
                out.append(options[int(rng.integers(len(options)))])
            else:
                out.append(("", c + c, c, c)[int(rng.integers(4))])
        elif draw < rate + case_rate and c in _SAME_SHAPE:
            out.append(c.swapcase())
        elif rate + case_rate <= draw < rate + case_rate + lost_rate and c in ".,:-'":
            continue
        else:
            out.append(c)
    return "".join(out)


def misread_foreign(text: str, rng: np.random.Generator, *, cyrillic: bool = False) -> str:
    """Return ``text`` with letters of scripts that the recogniser lacks lost or taken for Latin ones.

    Args:
        text: One word.
        rng: Where the nonsense for other scripts comes from.
        cyrillic: Whether it lacks Cyrillic too: of most words it then sees no letter, of the others some.

    Returns:
        What was read; empty where nothing was left.
    """
    if cyrillic:
        seen = 0.0 if rng.random() < 0.75 else 0.7
        text = "".join(_LATIN_SHAPES.get(c, c) for c in text if c not in _LATIN_SHAPES or rng.random() < seen)
    out = []
    for c in text:
        if ord(c) >= 0x0600 and not 0x1E00 <= ord(c) < 0x2C00:
            # Indic marks stand above and below: about every third sign becomes a letter.
            if rng.random() < 0.35:
                out.append(_NONSENSE[int(rng.integers(len(_NONSENSE)))])
        else:
            out.append(c)
    return "".join(out)
