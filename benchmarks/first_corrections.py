"""How well a project's own fields are named after its first corrected documents, and how long learning takes.

``python -m benchmarks.first_corrections FOLDER --labels STORE_NAME,STORE_ADDRESS,TEL,DATE,TIME,SUBTOTAL,TAX,TOTAL``

FOLDER holds ``images/`` and ``lines.json``: file → lines with ``polygon``, ``text`` and ``field`` (null for none).
Each seed shuffles the documents; the first ones are corrected, as a person would who gives each line its label, the
last ones are the test. A true line takes the field of the predicted box that covers most of it, at least half of the
smaller of the two; F1 is counted over lines.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ml_backend.label_studio.fields import name_fields
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.label_studio.regions import Region
from ml_backend.learn.tagging import fit_to_page, tag_page
from ml_backend.predict.project_naming import project_fields
from ml_backend.settings import Settings
from ml_backend.store.events import Store
from model.document.types import Page
from model.extraction.extraction import Extraction
from model.extraction.project_head import View
from model.extraction.project_naming import NamedByProject, ProjectNaming, learn
from model.pipeline import build_pipeline

Box = tuple[float, float, float, float]

CONFIG = """<View><Labels name="label" toName="image">{}</Labels><Image name="image" value="$image"/>
<Rectangle name="box" toName="image"/><TextArea name="text" toName="image" perRegion="true"/></View>"""


@dataclass(frozen=True, slots=True)
class Read:
    """A document: its tagged page, what the network says of it, its true lines."""

    page: Page
    tags: Sequence[str]
    opinion: Extraction
    truth: Sequence[tuple[str | None, Box]]


class Known:
    """The network's opinions, each asked for once."""

    def __init__(self, tags: tuple[str, ...], committee: Any, opinions: Mapping[int, Extraction]) -> None:
        self.tags, self.committee, self._opinions = tags, committee, opinions

    def extract(self, page: Page) -> Extraction:
        """Return what the network said of a page."""
        return self._opinions[id(page)]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--labels", required=True, help="the labels that count, separated by commas")
    parser.add_argument("--counts", default="0,1,3,5,10,25,50", help="corrected documents")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cache", default="", help="a SQLite file that keeps the readings")
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()

    labels = options.labels.split(",")
    config = parse_label_config(CONFIG.format("".join(f'<Label value="{label}"/>' for label in labels)))
    settings = Settings()
    store = Store(f"sqlite:///{options.cache}") if options.cache else None
    pipeline = build_pipeline(
        engine=settings.ocr_engine,
        ocr_models_dir=settings.ocr_models_dir,
        extractor_dir=None,
        threads=options.threads,
        max_image_bytes=10**8,
        max_image_pixels=10**8,
        cache=store,
    )
    fields = project_fields(config, pipeline.fields)
    names = name_fields(pipeline.fields, list(config.targets[0].labels)).of_labels
    lines = json.loads((options.folder / "lines.json").read_text("utf-8"))
    read = {name: _read(options.folder / "images" / name, lines[name], names, pipeline) for name in sorted(lines)}
    network = Known(
        pipeline.extractor.tags,
        pipeline.extractor.committee,
        {id(each.page): each.opinion for each in read.values()},
    )

    def view(each: Read) -> View:
        return fields.view(each.page, each.opinion.probabilities, network.tags)

    views = {name: view(each) for name, each in read.items()}
    counts = [int(count) for count in options.counts.split(",")]
    found: dict[int, list[tuple[float, float, float]]] = {count: [] for count in counts}
    for seed in range(options.seeds):
        order = [str(name) for name in np.random.default_rng(seed).permutation(sorted(read))]
        for count in counts:
            naming, seconds = ProjectNaming(fields), 0.0
            if count:
                started = time.monotonic()
                made = learn(fields, [[(views[name], read[name].tags)] for name in order[:count]], network.committee)
                seconds = time.monotonic() - started
                naming = ProjectNaming(fields, made.head, made.committee) if made.helps else naming
            said = {name: NamedByProject(network, naming).extract(read[name].page) for name in order[max(counts) :]}
            f1, ece = _scores({name: (said[name], read[name].truth) for name in said}, names)
            found[count].append((f1, ece, seconds))
            print(f"seed {seed}, {count:3d} documents: F1 {f1:.3f}, ECE {ece:.3f}, {seconds:.1f} s", flush=True)
    print(f"| documents | F1, mean of {options.seeds} | lowest | highest | ECE | seconds |\n|" + "---:|" * 6)
    for count, rows in found.items():
        f1s, eces, seconds_ = (np.array(column) for column in zip(*rows, strict=True))
        numbers = (f1s.mean(), f1s.min(), f1s.max(), eces.mean())
        print(f"| {count} | " + " | ".join(f"{number:.3f}" for number in numbers) + f" | {seconds_.mean():.1f} |")


def _read(path: Path, lines: Sequence[Mapping[str, Any]], names: Mapping[str, str], pipeline: Any) -> Read:
    page = pipeline.read(path.read_bytes())
    regions = [
        Region(
            str(place),
            "image",
            tuple((x, y) for x, y in line["polygon"]),
            0.0,
            line["field"],
            line["text"],
            page.width,
            page.height,
        )
        for place, line in enumerate(lines)
        if line["field"] in names
    ]
    tagged = tag_page(page, fit_to_page(regions, page), names)
    truth = [(names.get(line["field"] or ""), _bounds(line["polygon"])) for line in lines]
    return Read(tagged.page, tagged.tags, pipeline.extractor.extract(tagged.page), truth)


def _scores(
    documents: Mapping[str, tuple[Extraction, Sequence[tuple[str | None, Box]]]], names: Mapping[str, str]
) -> tuple[float, float]:
    """Return F1 over lines, and the expected calibration error of named values over ten bins."""
    right = wrong = missed = 0
    sure, hits = [], []
    for extraction, truth in documents.values():
        boxes = [
            (entity.field, (entity.box.x0, entity.box.y0, entity.box.x1, entity.box.y1), entity.score)
            for entity in extraction.entities
            if entity.field in names.values()
        ]
        for field, place in truth:
            if field is not None:
                best = max(((_cover(place, box), given) for given, box, _ in boxes), default=(0.0, ""))
                hit = best[0] >= 0.5 and best[1] == field
                right, missed = right + hit, missed + (not hit)
        for given, box, score in boxes:
            hit = any(field == given and _cover(place, box) >= 0.5 for field, place in truth)
            wrong += not hit
            sure.append(score)
            hits.append(float(hit))
    bins = np.minimum((np.array(sure) * 10).astype(int), 9)
    gaps = [
        (bins == each).mean() * abs(np.array(sure)[bins == each].mean() - np.array(hits)[bins == each].mean())
        for each in set(bins.tolist())
    ]
    return 2 * right / max(1, 2 * right + wrong + missed), float(sum(gaps))


def _bounds(polygon: Sequence[Sequence[float]]) -> Box:
    xs, ys = [point[0] for point in polygon], [point[1] for point in polygon]
    return min(xs), min(ys), max(xs), max(ys)


def _cover(one: Box, other: Box) -> float:
    """Return the shared area over the smaller one's."""
    wide, high = min(one[2], other[2]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[1], other[1])
    if wide <= 0 or high <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return wide * high / max(1e-9, min(areas))


if __name__ == "__main__":
    main()
