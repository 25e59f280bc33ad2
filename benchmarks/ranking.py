"""How long it takes to put many candidates into an order, and how much memory.

    python -m benchmarks.ranking --sizes 10000 30000 100000

Each strategy and size in a process of its own. Embeddings have the extractor's 384 numbers and are drawn from 200
groups; 500 documents are annotated; a batch of 50 is chosen, the rest is ordered, near-duplicates go last.
"""

from __future__ import annotations

import argparse
import resource
import time
from multiprocessing import get_context

import numpy as np

from active_learning.pool import SCORES, Labelled, Pool
from active_learning.ranking import rank
from active_learning.strategies import STRATEGIES

HIDDEN, GROUPS, ANNOTATED = 384, 200, 500
_MIB = 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 30_000, 100_000])
    parser.add_argument("--strategies", nargs="+", default=list(STRATEGIES))
    options = parser.parse_args()
    print("| strategy | candidates | seconds | CPU seconds | over the smallest | peak MiB | of which the embeddings |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name in dict.fromkeys(options.strategies):
        least = 0.0
        for size in options.sizes:
            with get_context("spawn").Pool(1) as processes:
                seconds, busy, peak = processes.apply(measure, (name, size))
            least = least or busy
            print(
                f"| {name} | {size:,} | {seconds:.1f} | {busy:.1f} | {busy / least:.1f} | {peak:,.0f} "
                f"| {size * HIDDEN * 4 / 2**20:,.0f} |",
                flush=True,
            )


def measure(name: str, size: int) -> tuple[float, float, float]:
    """Return the seconds of one ranking, those of all cores, and the process's peak of memory in MiB."""
    rng = np.random.default_rng(0)
    middles = rng.normal(size=(GROUPS, HIDDEN)).astype(np.float32)
    embeddings = middles[rng.integers(GROUPS, size=size)]
    embeddings += 0.5 * rng.standard_normal(embeddings.shape, dtype=np.float32)
    pool = Pool(embeddings, **{score: rng.random(size) for score in SCORES})
    labelled = Labelled(embeddings[rng.integers(size, size=ANNOTATED)] + np.float32(0.1))
    # Other work on the machine stretches the former, not the latter.
    start, begun = time.perf_counter(), time.process_time()
    rank(pool, labelled, STRATEGIES[name], rng)
    return (
        time.perf_counter() - start,
        time.process_time() - begun,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MIB,
    )


if __name__ == "__main__":
    main()
