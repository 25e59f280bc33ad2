"""How many wrong labels the re-label queue finds, and how many of its documents have one.

    python -m benchmarks.label_errors synthetic
    python -m benchmarks.label_errors cards --folder CARDS

Of all entities 5 % get another field's label. The probabilities are those of a logistic regression on the shipped
extractor's last states, fitted to the other four fifths of the documents, wrong labels included. ``cards`` are real
ones as in :mod:`benchmarks.finetune`, whose own labels have errors too, which count against precision here.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from active_learning.label_errors import DEFAULT_SHARE, Annotated, find_label_errors
from benchmarks.simulation import Collection, Head, collect, real_documents
from model.document.bio import field_of
from model.extraction.training import Example
from model.weights.make_extractor import simulated_card

FOLDS = 5
LAST_LAYER = 6
SHARES = (0.05, 0.1, 0.2, 0.3)
#: Seeds of cards that neither the weights nor the committee were made with.
FIRST_SEED = 31_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collection", choices=("synthetic", "cards"))
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--pages", type=Path, default=Path(".run/cards-pages.jsonl"), help="readings that are kept")
    parser.add_argument("--documents", type=int, default=250, help="synthetic cards")
    parser.add_argument("--flipped", type=float, default=0.05)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    if options.collection == "cards":
        docs = real_documents(options.folder, options.pages, tagged_only=True, layer=LAST_LAYER)
    else:
        cards = [card for i in range(options.documents) if (card := simulated_card(FIRST_SEED + i)).tags]
        fields = sorted({field for card in cards for tag in card.tags if (field := field_of(tag))})
        docs = collect(cards, ["all"] * len(cards), fields, False, LAST_LAYER)
    rows = [score(docs, options.flipped, seed) for seed in range(options.seeds)]
    touched = float(np.mean([row[0] for row in rows]))
    print(f"{len(docs.examples)} documents, of which {touched:.0f} with a wrong label; {options.seeds} seeds")
    print("| queue, share of the documents | precision | recall | right word first |")
    print("|---|---:|---:|---:|")
    for place, share in enumerate(SHARES):
        cells = np.mean([row[1][place] for row in rows], axis=0)
        mark = " (default)" if share == DEFAULT_SHARE else ""
        print(f"| {share:.0%}{mark} | " + " | ".join(f"{cell:.3f}" for cell in cells) + " |")


def score(docs: Collection, flipped: float, seed: int) -> tuple[int, list[tuple[float, float, float]]]:
    """Return how many documents were given wrong labels, and precision and recall of queues of each length."""
    rng = np.random.default_rng(seed)
    wrong: dict[int, set[int]] = {}
    examples = []
    for number, example in enumerate(docs.examples):
        tags = list(example.tags)
        for field, start, stop in sorted(docs.truths[number]):
            if rng.random() < flipped:
                other = str(rng.choice([name for name in docs.fields if name != field]))
                tags[start:stop] = [f"{tag[:2]}{other}" for tag in tags[start:stop]]
                wrong.setdefault(number, set()).update(range(start, stop))
        examples.append(Example(example.page, tuple(tags)))
    given = replace(docs, examples=tuple(examples))
    probabilities = out_of_sample(given, rng)
    annotated = [Annotated(t, p) for t, p in zip(given.targets, probabilities, strict=True)]
    found = find_label_errors(annotated, limit=len(annotated))
    cells = []
    for share in SHARES:
        queue = found[: max(1, round(share * len(annotated)))]
        hits = [suspect for suspect in queue if suspect.document in wrong]
        first = sum(suspect.suspicions[0].word in wrong[suspect.document] for suspect in hits)
        cells.append((len(hits) / max(1, len(queue)), len(hits) / len(wrong), first / max(1, len(hits))))
    return len(wrong), cells


def out_of_sample(docs: Collection, rng: np.random.Generator) -> list[np.ndarray]:  # type: ignore[type-arg]
    """Return each document's probabilities by a head that was fitted to other documents."""
    order = rng.permutation(len(docs.examples))
    result: dict[int, np.ndarray] = {}  # type: ignore[type-arg]
    for fold in range(FOLDS):
        held = {int(i) for i in order[fold::FOLDS]}
        head = Head.fit(docs, [int(i) for i in order if int(i) not in held])
        result |= {i: head.probabilities(docs.states[i]) for i in held}
    return [result[i] for i in range(len(docs.examples))]


if __name__ == "__main__":
    main()
