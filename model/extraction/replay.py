"""Synthetic cards that ship: some are seen again while a project is learned, others show what was forgotten.

They are made once (``python -m model.weights.make_replay``), since making them needs fonts, which a server may lack.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path

from model.document.codec import PageCodecError, decode_page, encode_page
from model.errors import WeightsError
from model.extraction.training import Example

FOLDER = Path(__file__).parent.parent / "weights" / "replay"

#: Cards to learn from, beyond the seeds that the shipped weights were trained with, so that they are no stranger to
#: them than to others; and cards to measure with, below all seeds of training.
LEARNING, MEASURING = "learning", "measuring"


def load_cards(kind: str) -> list[Example]:
    """Return the cards of a kind, :data:`LEARNING` or :data:`MEASURING`.

    Raises:
        WeightsError: If the file is missing or damaged.
    """
    path = FOLDER / f"{kind}.jsonl.gz"
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            rows = [json.loads(row) for row in file]
        examples = [Example(decode_page(row["page"]), tuple(row["tags"])) for row in rows]
    except (OSError, EOFError, ValueError, KeyError, TypeError, PageCodecError) as error:
        raise WeightsError(f"cannot read the synthetic cards {path}: {error}") from error
    return [example for example in examples if example.tags]


def save_cards(examples: Iterable[Example], path: Path) -> None:
    """Write cards; the same cards give the same bytes."""
    rows = [json.dumps({"page": encode_page(e.page), "tags": e.tags}, ensure_ascii=False) for e in examples]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("".join(f"{row}\n" for row in rows).encode(), mtime=0))
