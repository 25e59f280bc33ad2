"""What a few annotated documents teach: fine-tune the shipped weights on N of them, score on documents never seen.

    python -m benchmarks.finetune FOLDER --sizes 10 25 50 100 200 --folds 5 --fax-is-phone
    python -m benchmarks.finetune RECEIPTS --sizes 50 --folds 1 --exact-truth

FOLDER holds ``images/`` and ``fields.json``: file name → list of ``{"field", "text"}``. The truth has texts and no
boxes, so each is looked for among the words that were read; what is not found teaches nothing. Without
``--exact-truth`` a field is scored only on documents whose truth has it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from rapidfuzz.distance import Indel
from tqdm import tqdm

from model.document.codec import decode_page, encode_page
from model.document.images import load_image
from model.document.types import Document, Page
from model.document.values import field_values
from model.evaluation.entity_metrics import Score, score_fields
from model.extraction.extractor import Extractor
from model.extraction.finetune import FinetunePlan, fine_tune
from model.extraction.segmentation import segment
from model.extraction.training import Example
from model.ocr import build_engine
from model.pipeline import SHIPPED_WEIGHTS
from model.weights.make_extractor import simulated_card

FieldTexts = Sequence[tuple[str, str]]

#: How alike a run of words must be to a true text to count as the place where it stands.
LIKE = 0.75
#: Share of the annotated documents that only tell when to stop.
VALID = 0.2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 25, 50, 100, 200])
    parser.add_argument("--folds", type=int, default=5, help="1: learn from the first documents, test on the others")
    parser.add_argument("--budget", type=float, default=60.0, help="seconds of training")
    parser.add_argument("--replay", type=int, default=100, help="synthetic cards to replay")
    parser.add_argument("--weights", type=Path, default=SHIPPED_WEIGHTS)
    parser.add_argument("--pages", type=Path, default=Path(".run/finetune-pages.jsonl"), help="readings that are kept")
    parser.add_argument("--threads", type=int, default=0, help="0: torch's own choice")
    parser.add_argument("--fax-is-phone", action="store_true", help="the documents' PHONE takes fax numbers in")
    parser.add_argument("--exact-truth", action="store_true", help="a missing field is not there, rather than untagged")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    truth = {
        name: [(entity["field"], entity["text"]) for entity in entities]
        for name, entities in json.loads((options.folder / "fields.json").read_text(encoding="utf-8")).items()
    }
    pages = read_pages(options.folder / "images", sorted(truth), options.pages)
    fields = sorted({field for pairs in truth.values() for field, _ in pairs})
    rename = {"FAX": "PHONE"} if options.fax_is_phone else {}
    examples = {name: Example(page, find(page, truth[name])) for name, page in pages.items()}
    replay = [simulated_card(3_500_000 + i) for i in range(options.replay)]
    names = [sorted(pages)[i] for i in np.random.default_rng(0).permutation(len(pages))]

    print("| documents | fold | seconds | " + " | ".join([*fields, "micro"]) + " |")
    print("|---:|---:|---:|" + "---:|" * (len(fields) + 1))
    totals: dict[int, list[tuple[float, float, float, float, float]]] = {}
    for fold in range(options.folds):
        for size in (0, *options.sizes):
            test = names[size:] if options.folds == 1 else names[fold :: options.folds]
            learn = [name for name in names if name not in test][:size]
            start = time.perf_counter()
            with tempfile.TemporaryDirectory() as folder:
                weights = options.weights
                if size:
                    held = round(VALID * len(learn))
                    weights = fine_tune(
                        options.weights,
                        [examples[name] for name in learn[held:]],
                        [examples[name] for name in learn[:held]],
                        replay,
                        fields=fields,
                        rename=rename,
                        plan=FinetunePlan(budget_seconds=options.budget, seed=fold),
                        folder=Path(folder) / "tuned",
                        on_progress=lambda _: None,
                    ).folder
                seconds = time.perf_counter() - start
                tested = {name: pages[name] for name in test}
                table, confidence = score(weights, tested, truth, rename, not options.exact_truth)
            micro = table["micro"]
            totals.setdefault(size, []).append((micro.f1, 1 - micro.precision, micro.recall, confidence, seconds))
            cells = " | ".join(f"{table[field].f1:.3f}" if field in table else "–" for field in (*fields, "micro"))
            print(f"| {size} | {fold} | {seconds:.0f} | {cells} |", flush=True)
    print("\n| documents | micro F1, mean | lowest to highest | wrong values | found | confidence | seconds, median |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    for size, rows in totals.items():
        f1s, wrong, found, sure, times = zip(*rows, strict=True)
        means = " | ".join(f"{statistics.mean(column):.3f}" for column in (wrong, found, sure))
        spread = f"{min(f1s):.3f} to {max(f1s):.3f}"
        print(f"| {size} | {statistics.mean(f1s):.3f} | {spread} | {means} | {statistics.median(times):.0f} |")


def read_pages(folder: Path, names: Sequence[str], kept: Path) -> dict[str, Page]:
    """Return the segmented pages of the images, reading those that were not read before."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(row) for row in kept.read_text(encoding="utf-8").splitlines()] if kept.is_file() else []
    pages = {row["name"]: decode_page(row["page"]) for row in rows if row["name"] in set(names)}
    missing = [name for name in names if name not in pages]
    if missing:
        engine = build_engine("paddleocr", models_dir=None)
        with kept.open("a", encoding="utf-8") as file:
            for name in tqdm(missing, unit="image"):
                image = load_image((folder / name).read_bytes(), max_bytes=10**9, max_pixels=10**9)
                pages[name] = engine.read(image)
                file.write(json.dumps({"name": name, "page": encode_page(pages[name])}) + "\n")
    return {name: segmented for name, page in pages.items() if (segmented := segment(page)).words}


def find(page: Page, pairs: FieldTexts) -> tuple[str, ...]:
    """Return a tag for each word of a page: those of the true texts at the words that are most like them.

    A text may go on over several lines; each line's part then begins again.
    """
    tags = ["O"] * len(page.words)
    starts = {start for start, _ in page.line_spans()}
    texts = [_plain(word.text) for word in page.words]
    # The longest first: a name that is part of a company's must not take its words.
    for field, text in sorted(pairs, key=lambda pair: -len(pair[1])):
        place = _place(texts, tags, _plain(text))
        for index in range(*place) if place else ():
            begins = index == place[0] or index in starts if place else False
            tags[index] = f"{'B' if begins else 'I'}-{field}"
    return tuple(tags)


def _place(texts: Sequence[str], tags: Sequence[str], wanted: str) -> tuple[int, int] | None:
    best, found = LIKE, None
    for start in range(len(texts)):
        said = ""
        for stop in range(start + 1, len(texts) + 1):
            if tags[stop - 1] != "O" or len(said) > 1.4 * len(wanted):
                break
            said += texts[stop - 1]
            likeness = Indel.normalized_similarity(said, wanted)
            if likeness > best:
                best, found = likeness, (start, stop)
    return found


def score(
    weights: Path, pages: Mapping[str, Page], truth: Mapping[str, FieldTexts], rename: Mapping[str, str], tagged: bool
) -> tuple[dict[str, Score], float]:
    """Return the scores of a checkpoint's values on pages, and its mean confidence in them."""
    extractor = Extractor.load(weights)
    predicted, confidences = {}, []
    for name, page in pages.items():
        document = Document(page, extractor.extract(page).entities, 0.0, "", "")
        values = field_values(document)
        predicted[name] = [(rename.get(value.field, value.field), value.text) for value in values]
        confidences += [value.score for value in values]
    table = score_fields({name: truth[name] for name in pages}, predicted, tagged_only=tagged)
    return table, statistics.fmean(confidences or [0.0])


def _plain(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum() or c == "@")


if __name__ == "__main__":
    main()
