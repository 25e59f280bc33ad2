"""What a project's small model sees of each word: its text, what stands around it, where it stands, its type.

Everything comes from the page's reading, nothing from the network: the features of a page are the same whichever model
version serves.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np
from scipy.sparse import csr_matrix

from model.document.types import Page
from model.extraction.amounts import amount_roles
from model.extraction.inputs import word_shape
from model.extraction.surroundings import NOTHING, Surroundings
from model.extraction.value_types import types_of

#: Features are told apart by a hash of so many values (Weinberger et al., "Feature Hashing", ICML 2009).
SIZE = 1 << 16

_ROWS, _COLUMNS = 8, 4
_FIRST_LINES = 4


def word_features(page: Page) -> csr_matrix:
    """Return the features of a page's words, shape ``(words, SIZE)``, each row of length 1 in all.

    Args:
        page: Segmented words.
    """
    around = Surroundings(page)
    words = page.words
    plain = [_plain(word.text) for word in words]
    types = types_of(page)
    kinds = [sorted(kind.value for kind in each) for each in types]
    roles = [sorted(role.value for role in each) for each in amount_roles(page, types)]
    heights = np.array([word.box.height for word in words]) if words else np.zeros(0)
    usual = float(np.median(heights)) if len(heights) else 1.0
    lines, spans = around.lines, page.line_spans()
    rows: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    for index, word in enumerate(words):
        before, after, above = around.before(index, 3), int(around.right[index]), int(around.above[index])
        start, stop = spans[lines[index]]
        key = "".join(plain[each] for each in reversed(before))
        x, y = word.box.center
        names = [
            f"w={plain[index]}",
            f"shape={word_shape(word.text)}",
            f"len={min(len(word.text), 12)}",
            f"key={_letters(key)}",
            f"row={min(_ROWS - 1, int(_ROWS * y / page.height))}",
            f"cell={min(_ROWS - 1, int(_ROWS * y / page.height))},{min(_COLUMNS - 1, int(_COLUMNS * x / page.width))}",
            f"size={int(np.clip(round(2 * np.log2(word.box.height / usual)), -3, 4))}",
            f"line={min(lines[index], _FIRST_LINES)}",
            f"end={min(len(spans) - 1 - lines[index], _FIRST_LINES)}",
            f"place={'first' if index == start else ''}{'last' if index == stop - 1 else ''}",
            f"words={min(stop - start, 5)}",
            *(f"l{n}={plain[each]}" for n, each in enumerate(before)),
            f"r={plain[after] if after != NOTHING else ''}",
            f"a={_letters(plain[above]) if above != NOTHING else ''}",
            *(f"t={kind}" for kind in kinds[index]),
            *(f"t={kind}&l={_letters(plain[before[0]]) if before else ''}" for kind in kinds[index]),
            *(f"t={kind}&row={min(_ROWS - 1, int(_ROWS * y / page.height))}" for kind in kinds[index]),
        ]
        if before:
            names += [f"lt={kind}" for kind in kinds[before[0]]]
        if after != NOTHING:
            names += [f"rt={kind}" for kind in kinds[after]]
        names += [f"amount={role}" for role in roles[index]]
        weighted = [(name, 1.0) for name in names]
        weighted += [(f"g={gram}", 0.5) for gram in _trigrams(plain[index])]
        weighted += [(f"kg={gram}", 0.5) for gram in _trigrams(_letters(key)[-12:])]
        for name, weight in weighted:
            rows.append(index)
            columns.append(zlib.crc32(name.encode()) % SIZE)
            values.append(weight)
    made = csr_matrix((values, (rows, columns)), shape=(len(words), SIZE), dtype=np.float64)
    return made


def _trigrams(text: str) -> Iterator[str]:
    padded = f"^{text}$"
    for start in range(max(1, len(padded) - 2)):
        yield padded[start : start + 3]


def _plain(text: str) -> str:
    """Return a text in lower case with every digit as 0."""
    return "".join("0" if c.isdigit() else c for c in text.casefold())


def _letters(text: str) -> str:
    return "".join(c for c in text if c.isalpha())
