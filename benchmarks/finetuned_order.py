"""Whether the default order helps the product's own fine-tuning: the shipped weights, fine-tuned on what it chose.

    python -m benchmarks.finetuned_order run skewed --seeds 101 102 103
    python -m benchmarks.finetuned_order run cards --folder CARDS --seeds 101 102 103
    python -m benchmarks.finetuned_order report

A run that is repeated goes on where it was. CARDS is a folder as for :mod:`benchmarks.finetune`. As in the product,
the first ten documents are the most typical ones, the next follow the doubts of the weights that ship, and after each
fine-tuning those of the new version, ten documents an order. A fifth of the documents tells when to stop. Every fine-
tuning begins with the weights that ship and takes the same number of steps. The skewed mix is
:mod:`benchmarks.simulation`'s; its fields have names of their own, so that the weights, which know such cards, have
to learn what they are called.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from active_learning.pool import SCORES, Labelled, Pool
from active_learning.ranking import rank
from active_learning.strategies import DEFAULT_STRATEGY, find_strategy
from benchmarks.active_learning import TEST, interval, split
from benchmarks.finetune import VALID, find, read_pages
from benchmarks.simulation import skewed_documents
from ml_backend.predict.uncertainty import signals_of
from model.document.bio import OUTSIDE, field_of, spans
from model.document.codec import decode_page, encode_page
from model.document.types import Document
from model.extraction.extractor import Extractor
from model.extraction.finetune import FinetunePlan, fine_tune
from model.extraction.training import Example
from model.pipeline import SHIPPED_WEIGHTS
from model.weights.make_extractor import simulated_card

SIZES = (20, 40, 80)
#: Documents that are annotated before the order is made again.
BATCH = 10
#: Steps of each fine-tuning; a pass through the documents of each size divides them.
STEPS = 24
#: Seconds that a fine-tuning may take on a busy machine before it has fewer steps, which is an error.
_BUDGET = 600.0
_RANDOM = "random"
_OWN = "OWN_"


@dataclass(frozen=True)
class Documents:
    """What is learned from and tested on; more of it at :class:`benchmarks.simulation.Collection`."""

    examples: tuple[Example, ...]
    kinds: tuple[str, ...]
    rename: dict[str, str]
    tagged_only: bool

    @property
    def fields(self) -> list[str]:
        return sorted({field for e in self.examples for tag in e.tags if (field := field_of(tag))})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="simulate; results are appended to the file")
    run.add_argument("collection", choices=("skewed", "cards"))
    run.add_argument("--folder", type=Path, help="the documents, for cards")
    run.add_argument("--pages", type=Path, default=Path(".run/cards-pages.jsonl"), help="readings that are kept")
    run.add_argument("--seeds", type=int, nargs="+", default=[101, 102, 103])
    run.add_argument("--strategies", nargs="+", default=[_RANDOM, DEFAULT_STRATEGY])
    report = commands.add_parser("report", help="print tables of what was simulated")
    for command in (run, report):
        command.add_argument("--work", type=Path, default=Path(".run/finetuned-order"), help="what is done goes there")
    options = parser.parse_args()
    if options.command == "report":
        print_report([json.loads(path.read_text(encoding="utf-8")) for path in sorted(options.work.glob("*.json"))])
        return
    for seed in options.seeds:
        docs = skewed(seed, options.work) if options.collection == "skewed" else cards(options.folder, options.pages)
        for strategy in options.strategies:
            simulate(docs, options.collection, strategy, seed, options.work)


def skewed(seed: int, work: Path) -> Documents:
    """Return a mix whose fields have names that the weights do not know; it is kept in ``work``."""
    kept = work / f"skewed-{seed}.jsonl"
    if not kept.exists():
        work.mkdir(parents=True, exist_ok=True)
        rows = []
        for example, kind in skewed_documents(200, TEST["skewed"] // 2, seed):
            tags = [tag if tag == OUTSIDE else f"{tag[:2]}{_OWN}{tag[2:]}" for tag in example.tags]
            rows.append(json.dumps({"kind": kind, "tags": tags, "page": encode_page(example.page)}) + "\n")
        kept.write_text("".join(rows), encoding="utf-8")
    read = [json.loads(row) for row in kept.read_text(encoding="utf-8").splitlines()]
    examples = tuple(Example(decode_page(row["page"]), tuple(row["tags"])) for row in read)
    return Documents(examples, tuple(row["kind"] for row in read), {}, False)


def cards(folder: Path, kept: Path) -> Documents:
    """Return the real cards."""
    truth = {
        name: [(entity["field"], entity["text"]) for entity in entities]
        for name, entities in json.loads((folder / "fields.json").read_text(encoding="utf-8")).items()
    }
    pages = read_pages(folder / "images", sorted(truth), kept)
    examples = tuple(Example(page, find(page, truth[name])) for name, page in sorted(pages.items()))
    return Documents(examples, ("all",) * len(examples), {"FAX": "PHONE"}, True)


def simulate(docs: Documents, collection: str, strategy: str, seed: int, work: Path) -> None:
    """Annotate and fine-tune, size after size; what is done already is not done again."""
    pool, test = split(docs, TEST[collection] // (2 if collection == "skewed" else 1), np.random.default_rng(seed))
    by_chance = [pool[int(i)] for i in np.random.default_rng((seed, 1)).permutation(len(pool))]
    # Replayed cards have fields by the weights' names, which would contradict those of the skewed mix.
    replay = [simulated_card(3_500_000 + 1000 * seed + i) for i in range(60)] if collection == "cards" else []
    work.mkdir(parents=True, exist_ok=True)
    done: list[int] = []
    weights = SHIPPED_WEIGHTS
    for size in SIZES:
        start = time.perf_counter()
        name = f"{collection}-{seed}-{strategy}-{size}"
        result, folder = work / f"{name}.json", work / name
        if not result.exists():
            if strategy == _RANDOM:
                done = by_chance[:size]
            else:
                rng = np.random.default_rng((seed, size))
                chosen = chooser(docs, weights, pool, strategy, rng)
                while len(done) < size:
                    done += chosen(done)[: min(BATCH, size - len(done))]
            learn(docs, done, replay, folder, seed)
            micro, macro = f1(docs, folder, test)
            row = {"collection": collection, "seed": seed, "strategy": strategy, "size": size, "done": done}
            result.write_text(json.dumps(row | {"micro": micro, "macro": macro}), encoding="utf-8")
            print(name, f"{time.perf_counter() - start:.0f} s {micro:.3f} {macro:.3f}", flush=True)
        done, weights = list(json.loads(result.read_text(encoding="utf-8"))["done"]), folder


def chooser(
    docs: Documents, weights: Path, pool: Sequence[int], strategy: str, rng: np.random.Generator
) -> Callable[[Sequence[int]], list[int]]:
    """Return what puts documents into order by the doubts of some weights, given those that are annotated."""
    extractor = Extractor.load(weights)
    embeddings, scores = {}, {}
    for i in pool:
        said = extractor.extract(docs.examples[i].page)
        signals = signals_of([Document(docs.examples[i].page, said.entities, said.score, "", "", None, said.doubts)])
        embeddings[i] = said.embedding
        scores[i] = {name: getattr(signals, name).total for name in SCORES if name != "cost"}
        scores[i]["cost"] = signals.expected_corrections

    def chosen(done: Sequence[int]) -> list[int]:
        left = [i for i in pool if i not in set(done)]
        seen = Pool(
            np.stack([embeddings[i] for i in left]),
            **{name: np.array([scores[i][name] for i in left]) for name in SCORES},
        )
        known = Labelled(np.stack([embeddings[i] for i in done])) if done else Labelled()
        return [left[int(i)] for i in rank(seen, known, find_strategy(strategy), rng).order]

    return chosen


def learn(docs: Documents, rows: Sequence[int], replay: Sequence[Example], folder: Path, seed: int) -> Path:
    """Fine-tune the shipped weights on some documents.

    Raises:
        RuntimeError: If there was no time for all steps.
    """
    held = round(VALID * len(rows))
    order = np.random.default_rng((seed, 2)).permutation(len(rows))
    train, valid = [rows[i] for i in order[held:]], [rows[i] for i in order[:held]]
    plan = FinetunePlan(budget_seconds=_BUDGET, seed=seed)
    lessons = len(train) + (round(plan.replay * len(train)) if replay else 0)
    plan = replace(plan, passes=round(STEPS * plan.batch_size / lessons))
    tuned = fine_tune(
        SHIPPED_WEIGHTS,
        [docs.examples[i] for i in train],
        [docs.examples[i] for i in valid],
        replay,
        fields=docs.fields,
        rename=docs.rename,
        plan=plan,
        folder=folder,
        on_progress=lambda _: None,
    )
    if abs(tuned.curve[-1].step - STEPS) > 0.15 * STEPS:
        raise RuntimeError(f"{tuned.curve[-1].step} steps in place of {STEPS}: the machine is too busy")
    return tuned.folder


def f1(docs: Documents, weights: Path, rows: Sequence[int]) -> tuple[float, float]:
    """Return micro and macro F1 of the entities of some documents, right only in field and words."""
    extractor = Extractor.load(weights)
    hits, given, wanted = Counter[str](), Counter[str](), Counter[str]()
    fields = docs.fields
    for i in rows:
        example = docs.examples[i]
        truth = set(spans(example.tags, example.page.line_spans()))
        known = {field for field, _, _ in truth} if docs.tagged_only else set(fields)
        named = {(docs.rename.get(e.field, e.field), e.start, e.stop) for e in extractor.extract(example.page).entities}
        named = {span for span in named if span[0] in known}
        hits.update(field for field, _, _ in truth & named)
        given.update(field for field, _, _ in named)
        wanted.update(field for field, _, _ in truth)
    each = [2 * hits[field] / (given[field] + wanted[field]) for field in fields if wanted[field]]
    return 2 * hits.total() / max(1, given.total() + wanted.total()), float(np.mean(each))


def print_report(rows: Sequence[dict]) -> None:  # type: ignore[type-arg]
    table = {(r["collection"], r["strategy"], r["size"], r["seed"]): r for r in rows}
    print(f"| collection | F1 | documents | seeds | {_RANDOM} | strategy | mean | gain (95 %) | each seed |")
    print("|---|---|---:|---:|---:|---|---:|---:|---|")
    for collection, strategy in dict.fromkeys((c, s) for c, s, _, _ in table if s != _RANDOM):
        for size in SIZES:
            for kind in ("micro", "macro"):
                pairs = [
                    (table[collection, strategy, size, seed][kind], table[collection, _RANDOM, size, seed][kind])
                    for seed in sorted({seed for *_, seed in table})
                    if (collection, strategy, size, seed) in table and (collection, _RANDOM, size, seed) in table
                ]
                if not pairs:
                    continue
                mine, base = (float(np.mean(column)) for column in zip(*pairs, strict=True))
                gains = [one - other for one, other in pairs]
                low, high = interval(gains)
                each = ", ".join(f"{gain:+.3f}" for gain in gains)
                print(
                    f"| {collection} | {kind} | {size} | {len(pairs)} | {base:.3f} | {strategy} | {mine:.3f} "
                    f"| {np.mean(gains):+.3f} ({low:+.3f} to {high:+.3f}) | {each} |"
                )


if __name__ == "__main__":
    torch.set_num_threads(2)
    main()
