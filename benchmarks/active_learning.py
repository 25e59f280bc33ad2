"""Which order of annotation saves most labels: every query strategy against chance, on three collections.

    python -m benchmarks.active_learning run skewed
    python -m benchmarks.active_learning run cards --folder CARDS
    python -m benchmarks.active_learning run receipts --folder RECEIPTS
    python -m benchmarks.active_learning report

CARDS and RECEIPTS are folders as for :mod:`benchmarks.finetune`. The learner is :mod:`benchmarks.simulation`'s. All
begin with the same five documents drawn by chance and go on in batches of five; each batch is chosen by
:func:`active_learning.ranking.rank`, as the backend does it, near-duplicates late. ``cold:`` before a strategy's name
says that nothing is annotated at first, and that the most typical documents begin. ``mean:`` (after it) says that a
document's score is the mean over its words in place of their sum, ``root:`` that it is the sum over the root of their
number.

Documents needed are read from the rising fit of a curve (isotonic), between batches linearly; a curve that does not get
there counts with its end. Intervals are of 95 % over the seeds, by the bootstrap; strategies of one seed share pool,
test and first documents, so that ratios are taken seed by seed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr
from sklearn.isotonic import IsotonicRegression

from active_learning.cost import ExpectedCost, Signals
from active_learning.missing import UsualFields
from active_learning.pool import FloatArray, Labelled, Pool
from active_learning.ranking import rank
from active_learning.strategies import STRATEGIES
from benchmarks.simulation import Collection, Head, corrections, f1, look, real_documents, skewed_mix

COLLECTIONS = ("skewed", "cards", "receipts")
START, BATCH = 5, 5
#: Share of the F1 of training on the whole pool that is to be reached.
REACH = 0.95
#: Documents that are annotated at most, and that are tested on.
MOST = {"skewed": 100, "cards": 110, "receipts": 60}
TEST = {"skewed": 160, "cards": 90, "receipts": 45}
COLD = "cold:"
#: Which power of the number of words a document's sum is divided by, by what stands before the strategy's name.
LENGTHS = {"root:": 0.5, "mean:": 1.0}
NAMES = (*STRATEGIES, *(f"{COLD}{name}" for name in ("margin", "badge", "diverse_uncertainty")))
_DRAWS = 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="simulate; results are appended to the file")
    run.add_argument("collection", choices=COLLECTIONS)
    run.add_argument("--folder", type=Path, help="the documents, for cards and receipts")
    run.add_argument("--pages", type=Path, help="readings that are kept")
    run.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], metavar="SEED")
    run.add_argument("--mix", type=int, default=0, metavar="SEED", help="another skewed mix")
    run.add_argument("--strategies", nargs="+", default=list(NAMES), metavar="NAME")
    report = commands.add_parser("report", help="print tables of what was simulated")
    for command in (run, report):
        command.add_argument("--results", type=Path, default=Path(".run/active-learning.jsonl"))
    options = parser.parse_args()
    if options.command == "run":
        simulate_all(options)
    else:
        print_report([json.loads(row) for row in options.results.read_text(encoding="utf-8").splitlines()])


def simulate_all(options: argparse.Namespace) -> None:
    name = options.collection
    docs = (
        skewed_mix(400, TEST[name], options.mix)
        if name == "skewed"
        else real_documents(
            options.folder, options.pages or Path(f".run/{name}-pages.jsonl"), tagged_only=name == "cards"
        )
    )
    options.results.parent.mkdir(parents=True, exist_ok=True)
    for seed in options.seeds:
        pool, test = split(docs, TEST[name], np.random.default_rng(seed))
        whole = f1(docs, Head.fit(docs, pool), test)
        for strategy in options.strategies:
            start = time.perf_counter()
            row = simulate(docs, pool, test, strategy, MOST[name], seed)
            row |= {"collection": name, "seed": seed, "strategy": strategy, "whole": whole}
            with options.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            micro = " ".join(f"{micro:.3f}" for _, micro, _ in row["curve"][::4])
            print(
                f"{name} {seed} {strategy:24} {time.perf_counter() - start:5.1f} s  {micro} | {whole[0]:.3f}",
                flush=True,
            )


def split(docs: Collection, test: int, rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """Return the documents to choose from and those to test on, as many of each kind."""
    kinds = sorted(set(docs.kinds))
    tested: list[int] = []
    for kind in kinds:
        members = np.array([i for i, k in enumerate(docs.kinds) if k == kind])
        tested += [int(i) for i in rng.permutation(members)[: test // len(kinds)]]
    known = set(tested)
    return [i for i in range(len(docs.kinds)) if i not in known], tested


def simulate(
    docs: Collection, pool: Sequence[int], test: Sequence[int], name: str, most: int, seed: int
) -> dict[str, object]:
    """Annotate batch after batch, and return the F1 after each."""
    rng = np.random.default_rng((seed, 1))
    cold, power = name.startswith(COLD), sum(power for mark, power in LENGTHS.items() if mark in name)
    strategy = STRATEGIES[name.rpartition(":")[2]]
    left = list(pool)
    first = [left[int(i)] for i in rng.permutation(len(left))[:START]]
    done: list[int] = []
    head: Head | None = None
    signals: list[Signals] = []
    costs: list[float] = []
    curve: list[tuple[int, float, float]] = []
    while len(done) < most:
        if head is None:
            batch = first
            if cold:
                blank = np.zeros(len(left))
                begin = Pool(docs.embeddings[left], blank, blank, blank, blank, blank)
                batch = [left[int(i)] for i in rank(begin, Labelled(), strategy, rng, batch=START).order[:START]]
        else:
            usual = UsualFields.of({field for field, _, _ in docs.truths[i]} for i in done)
            seen, said = look(docs, head, left, usual, ExpectedCost.fit(signals, costs), rng, power=power)
            ranking = rank(
                seen,
                Labelled(docs.embeddings[done]),
                strategy,
                rng,
                batch=BATCH,
                cold_start=None if cold else strategy,
                near_duplicate=0.0 if name == "random" else 0.02,
            )
            rows = [int(i) for i in ranking.order[:BATCH]]
            batch = [left[i] for i in rows]
            signals += [said[i] for i in rows]
            costs += [corrections(docs, head, i) for i in batch]
        done += batch
        left = [i for i in left if i not in set(batch)]
        head = Head.fit(docs, done, head)
        curve.append((len(done), *f1(docs, head, test)))
    row: dict[str, object] = {"curve": curve}
    if name == "random" and head is not None:
        usual = UsualFields.of({field for field, _, _ in docs.truths[i]} for i in done)
        cost = ExpectedCost.fit(signals, costs)
        _, said = look(docs, head, test, usual, cost, rng)
        row["cost"] = [
            [float(learned), float(plain), corrections(docs, head, i)]
            for learned, plain, i in zip(cost.predict(said), ExpectedCost().predict(said), test, strict=True)
        ]
    return row


def needed(curve: Sequence[Sequence[float]], wanted: float, column: int = 1) -> tuple[float, bool]:
    """Return after how many documents a curve reaches a value, and whether it does so at all."""
    sizes = np.array([point[0] for point in curve], dtype=np.float64)
    rising: FloatArray = IsotonicRegression().fit_transform(sizes, [point[column] for point in curve])
    if rising[-1] < wanted:
        return float(sizes[-1]), False
    at = int(np.argmax(rising >= wanted))
    if at == 0:
        return float(sizes[0]), True
    share = (wanted - rising[at - 1]) / (rising[at] - rising[at - 1])
    return float(sizes[at - 1] + share * (sizes[at] - sizes[at - 1])), True


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the bootstrap's interval of the mean."""
    rng = np.random.default_rng(0)
    array = np.array(values)
    means = array[rng.integers(len(array), size=(_DRAWS, len(array)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def print_report(rows: Sequence[dict]) -> None:  # type: ignore[type-arg]
    for collection in COLLECTIONS:
        for column, kind in ((1, "micro"), (2, "macro")):
            table = {(r["strategy"], r["seed"]): r for r in rows if r["collection"] == collection}
            seeds = sorted({seed for _, seed in table})
            if not seeds:
                continue
            whole = np.mean([table["random", seed]["whole"][column - 1] for seed in seeds])
            print(f"\n{collection}, {kind} F1, {len(seeds)} seeds; trained on the whole pool {whole:.3f}\n")
            print(
                "| strategy | area under the curve | gain over chance (95 %) | documents needed | of chance's (95 %) |"
            )
            print("|---|---:|---:|---:|---:|")
            lines = []
            for name in dict.fromkeys(name for name, _ in table):
                own = [s for s in seeds if (name, s) in table]
                areas = [_area(table[name, s]["curve"], column) for s in own]
                gains = [a - _area(table["random", s]["curve"], column) for a, s in zip(areas, own, strict=True)]
                want = [
                    needed(table[name, s]["curve"], REACH * table[name, s]["whole"][column - 1], column) for s in own
                ]
                base = [
                    needed(table["random", s]["curve"], REACH * table[name, s]["whole"][column - 1], column)
                    for s in own
                ]
                ratios = [np.log(w[0] / b[0]) for w, b in zip(want, base, strict=True)]
                low, high = interval(gains)
                less, more = (np.exp(x) for x in interval(ratios))
                failed = sum(not reached for _, reached in want)
                lines.append(
                    (
                        np.mean(ratios),
                        f"| {name} | {np.mean(areas):.3f} | {np.mean(gains):+.3f} ({low:+.3f} to {high:+.3f}) "
                        f"| {np.mean([n for n, _ in want]):.0f}{f' ({failed} never)' if failed else ''} "
                        f"| {np.exp(np.mean(ratios)):.2f} ({less:.2f} to {more:.2f}) |",
                    )
                )
            print("\n".join(line for _, line in sorted(lines)))
        pairs = [pair for r in rows if r["collection"] == collection for pair in r.get("cost", ())]
        if pairs:
            learned, plain, real = np.array(pairs).T
            print(f"\nexpected cost, {len(pairs)} documents")
            for said, way in ((learned, "learned"), (plain, "the models' own")):
                print(f"{way}: Spearman {spearmanr(said, real)[0]:.3f}, mean {said.mean():.2f} of {real.mean():.2f}")


def _area(curve: Sequence[Sequence[float]], column: int) -> float:
    """Return the mean height of a curve."""
    sizes = [point[0] for point in curve]
    return float(np.trapezoid([point[column] for point in curve], sizes) / (sizes[-1] - sizes[0]))


if __name__ == "__main__":
    main()
