"""Score the extractor on synthetic cards that training never saw: other seeds, other fonts.

    python -m benchmarks.synthetic_cards --cards 300            # what an engine does to words is simulated
    python -m benchmarks.synthetic_cards --cards 60 --read      # drawn, and read by the real engine
    python -m benchmarks.synthetic_cards --cards 60 --read --script Cyrillic

An entity is right if its field and its words are; truth and prediction stand on the same words. At last the numbers
that an application gets are compared with the printed ones, telephone and fax alike, at 0.8 similarity.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from model.document.bio import spans
from model.document.types import Document
from model.document.values import NUMBERS, field_values
from model.errors import SyntheticError
from model.evaluation.entity_metrics import Score, score_fields
from model.extraction.alignment import align, segment_truth
from model.extraction.extractor import Extractor
from model.extraction.segmentation import segment
from model.ocr import build_engine
from model.pipeline import SHIPPED_WEIGHTS
from model.synthetic import Card, FontSet, make_card, simulate_reading
from model.synthetic.locales import LOCALES, is_cyrillic


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cards", type=int, default=300)
    parser.add_argument("--weights", type=Path, default=SHIPPED_WEIGHTS)
    parser.add_argument("--read", action="store_true", help="draw the cards and read them with the engine")
    parser.add_argument("--engine", default="paddleocr")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--script", choices=("Latin", "Cyrillic"), help="only cards of locales that write so")
    arguments = parser.parse_args()
    extractor = Extractor.load(arguments.weights)
    fonts = FontSet.find().split()[1]
    engine = build_engine(arguments.engine, models_dir=None) if arguments.read else None
    script_of = {name: "Cyrillic" if is_cyrillic(name) else "Latin" for name in LOCALES}
    locales = [name for name in LOCALES if arguments.script in (None, script_of[name])]
    printed: dict[str, list[tuple[str, str]]] = {}
    numbers: dict[str, list[tuple[str, str]]] = {}
    counts: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0, 0]))
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.cards):
        try:
            card = make_card(seed, fonts=fonts, locales=locales)
        except SyntheticError:  # a sign that no unseen font has
            continue
        read = (
            engine.read(card.image)
            if engine
            else simulate_reading(card.page, card.tags, np.random.default_rng(seed))[0]
        )
        page = segment(read)
        extraction = extractor.extract(page)
        printed[str(seed)] = [("number", text) for text in printed_numbers(card)]
        values = field_values(Document(page, extraction.entities, 0.0, "", ""), dict.fromkeys(NUMBERS, "number"))
        numbers[str(seed)] = [(value.field, value.text) for value in values]
        wanted = set(spans(align(page, *segment_truth(card.page, card.tags)), page.line_spans()))
        given = {(entity.field, entity.start, entity.stop) for entity in extraction.entities}
        letters = [c for line in card.page.lines for c in line.text if c.isalpha()]
        script = "Cyrillic" if sum("\u0400" <= c <= "\u04ff" for c in letters) > len(letters) / 3 else "Latin"
        for field in {field for field, _, _ in wanted | given}:
            truth, guess = ({span for span in found if span[0] == field} for found in (wanted, given))
            for row in (counts[script][field], counts[script]["micro"]):
                for place, number in enumerate((len(truth & guess), len(guess), len(truth))):
                    row[place] += number
    for script, fields in sorted(counts.items()):
        print(f"\n| {script} | entities | precision | recall | F1 |\n|---|---:|---:|---:|---:|")
        for field in sorted(fields, key=lambda name: (name == "micro", name)):
            score = Score(*fields[field])
            print(f"| {field} | {score.wanted} | {score.precision:.3f} | {score.recall:.3f} | {score.f1:.3f} |")
    score = score_fields(printed, numbers)["micro"]
    rates = f"precision {score.precision:.3f}, recall {score.recall:.3f}, F1 {score.f1:.3f}"
    print(f"\n{score.wanted} printed numbers: {rates}")


def printed_numbers(card: Card) -> list[str]:
    """Return the telephone and fax numbers on a card as they are printed."""
    words = [word.text for word in card.page.words]
    found = spans(card.tags, card.page.line_spans())
    return [" ".join(words[start:stop]) for field, start, stop in found if field in NUMBERS]


if __name__ == "__main__":
    main()
