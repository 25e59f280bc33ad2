"""Make the synthetic cards that ship for replay: ``python -m model.weights.make_replay``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from model.extraction.replay import FOLDER, LEARNING, MEASURING, save_cards
from model.weights.make_extractor import simulated_card

#: Beyond the seeds that the shipped weights were trained with, and below them all.
_SEEDS = {LEARNING: range(7_000_000, 7_000_240), MEASURING: range(500_000, 500_060)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the cards that ship."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the files")
    options = parser.parse_args(arguments)
    for kind, seeds in _SEEDS.items():
        save_cards((simulated_card(seed) for seed in seeds), options.out / f"{kind}.jsonl.gz")


if __name__ == "__main__":
    main()
