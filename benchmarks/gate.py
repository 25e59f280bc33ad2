"""How often the gate lets a worse challenger pass, and how often it turns a better one away.

    python -m benchmarks.gate --seeds 20 --documents 10 20 40

The champion is the weights that ship, on the synthetic cards that ship for measuring. Challengers are made from what it
names: of a worse one a share of the entities gets another field's label; a better one gets a share of the champion's
mistakes right. Each seed draws other documents and other entities. Nothing is trained: what is measured is the gate.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from model.document.bio import FIELDS, spans
from model.evaluation.entity_metrics import DocumentCounts, count_spans, total
from model.evaluation.extractor_gate import GateSettings, decide
from model.extraction.extractor import Extractor
from model.extraction.replay import MEASURING, load_cards
from model.pipeline import SHIPPED_WEIGHTS

Spans = list[tuple[str, int, int]]


def shuffled(given: Spans, share: float, rng: np.random.Generator) -> Spans:
    """Give a share of the entities another field."""
    return [
        (str(rng.choice([f for f in FIELDS if f != field])), start, stop)
        if rng.random() < share
        else (field, start, stop)
        for field, start, stop in given
    ]


def fixed(given: Spans, truth: Spans, share: float, rng: np.random.Generator) -> Spans:
    """Leave out a share of what is wrong, and add a share of what is missing."""
    right = [span for span in given if span in truth]
    wrong = [span for span in given if span not in truth and rng.random() >= share]
    return right + wrong + [span for span in truth if span not in given and rng.random() < share]


def counted(pairs: Sequence[tuple[Spans, Spans]]) -> list[DocumentCounts]:
    return [count_spans(truth, given, fields=FIELDS, rename={}) for truth, given in pairs]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--documents", type=int, nargs="+", default=[10, 20, 40])
    options = parser.parse_args()
    extractor = Extractor.load(SHIPPED_WEIGHTS)
    pages = []
    for card in load_cards(MEASURING):
        named = [(entity.field, entity.start, entity.stop) for entity in extractor.extract(card.page).entities]
        pages.append((spans(card.tags, card.page.line_spans()), named))
    print(f"champion: F1 {total(counted(pages))['micro'].f1:.3f} on {len(pages)} cards")
    kinds = [("labels shuffled", 0.1), ("labels shuffled", 0.2), ("labels shuffled", 0.4), ("the same", 0.0)]
    kinds += [("mistakes fixed", share) for share in (0.1, 0.2, 0.4)]
    print(f"{'challenger':22} " + " ".join(f"{f'{count} held out':>14}" for count in options.documents))
    for kind, share in kinds:
        cells = []
        for count in options.documents:
            promoted = 0
            for seed in range(options.seeds):
                rng = np.random.default_rng((seed, count))
                drawn = [pages[i] for i in rng.permutation(len(pages))[:count]]
                challenger = [
                    (truth, fixed(given, truth, share, rng))
                    if kind == "mistakes fixed"
                    else (truth, shuffled(given, share, rng))
                    for truth, given in drawn
                ]
                decision = decide(counted(drawn), counted(challenger), ((), ()), GateSettings(), rng)
                promoted += decision.promote
            cells.append(f"{promoted:>7} of {options.seeds:<3}")
        print(f"{kind + (f' {share:.0%}' if share else ''):22} " + " ".join(f"{cell:>14}" for cell in cells))


if __name__ == "__main__":
    main()
