"""Draw what ``python -m benchmarks.active_learning run`` found.

python -m benchmarks.learning_curves --results .run/active-learning.jsonl --out benchmarks/plots
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from active_learning.strategies import DEFAULT_STRATEGY

mpl.use("svg")
from matplotlib import pyplot as plt

#: Enough to see something; the tables have all.
SHOWN = ("random", DEFAULT_STRATEGY, f"cold:{DEFAULT_STRATEGY}", "diverse_uncertainty", "badge", "typical")
#: Documents a point of the calibration plot.
_BIN = 30

Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path(".run/active-learning.jsonl"))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "plots")
    options = parser.parse_args()
    rows = [json.loads(row) for row in options.results.read_text(encoding="utf-8").splitlines()]
    # The same rows give the same bytes.
    mpl.rcParams["svg.hashsalt"] = "plots"
    for collection in dict.fromkeys(row["collection"] for row in rows):
        own = [row for row in rows if row["collection"] == collection]
        save(curves(own, collection), options.out / f"active-learning-{collection}.svg")
        if any("cost" in row for row in own):
            save(calibration(own, collection), options.out / f"expected-cost-{collection}.svg")


def curves(rows: Sequence[Row], collection: str) -> Any:
    """Draw the mean micro F1 of each strategy, and how far its seeds spread (one standard deviation)."""
    figure, axes = plt.subplots(figsize=(7, 4.2))
    for name in SHOWN:
        own = [row["curve"] for row in rows if row["strategy"] == name]
        if not own:
            continue
        sizes, table = [point[0] for point in own[0]], np.array([[point[1] for point in curve] for curve in own])
        (line,) = axes.plot(sizes, table.mean(axis=0), label=name, linewidth=2.5 if name == DEFAULT_STRATEGY else 1.3)
        if name in SHOWN[:2]:
            low, high = table.mean(axis=0) - table.std(axis=0), table.mean(axis=0) + table.std(axis=0)
            axes.fill_between(sizes, low, high, color=line.get_color(), alpha=0.12)
    whole = float(np.mean([row["whole"][0] for row in rows]))
    axes.axhline(whole, color="grey", linestyle="--", linewidth=1, label="all documents")
    axes.set(xlabel="annotated documents", ylabel="entity F1 (micro)", title=collection)
    axes.legend(fontsize=8)
    return figure


def calibration(rows: Sequence[Row], collection: str) -> Any:
    """Draw expected against real corrections of held-out documents, thirty a point."""
    pairs = np.array(sorted(pair for row in rows for pair in row.get("cost", ())))
    figure, axes = plt.subplots(figsize=(4.4, 4.2))
    for column, label in ((0, "learned"), (1, "models' own expectation")):
        order = pairs[np.argsort(pairs[:, column])]
        parts = np.array_split(order, max(1, len(order) // _BIN))
        axes.plot(
            [p[:, column].mean() for p in parts], [p[:, 2].mean() for p in parts], "o-", label=label, markersize=4
        )
    top = float(pairs.max()) * 0.6
    axes.plot([0, top], [0, top], color="grey", linestyle="--", linewidth=1)
    axes.set(xlabel="expected corrections", ylabel="real corrections", title=collection)
    axes.legend(fontsize=8)
    return figure


def save(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    main()
