"""What commands do with recognisers: measure one on a project's lines, and find the one that is meant."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ml_backend.settings import Settings
from model.errors import VersionError

if TYPE_CHECKING:
    from ml_backend.learn.training_run import TrainingServices

_VERSION = re.compile(r"p(\d+)-v(\d+)(?:-[0-9a-f.]+)?")


def evaluate_recogniser(services: TrainingServices, project_id: int, folder: Path) -> int:
    """Print how a version reads the lines of a project's held-out documents, and rendered ones."""
    from ml_backend.label_studio.label_config import parse_label_config
    from model.evaluation.extractor_gate import held_out
    from model.extraction.extractor import Extractor
    from model.recognition.lines import FeatureLine
    from model.recognition.measuring import LineScore, measure, pooled
    from model.registry.version_files import recogniser_of

    learning = services.recogniser
    if learning is None:
        print("RECOGNISER_BUDGET_SECONDS is 0: recognisers are neither trained nor measured.", file=sys.stderr)
        return 1
    config = parse_label_config(services.label_studio.project(project_id).label_config)
    fields = Extractor.load(folder).fields
    collected = learning.collector(learning.reading(folder)).collect(project_id, config, fields)
    backbone = learning.backbone()
    head = learning.head(backbone, recogniser_of(folder))
    backbone = backbone.under(head)
    tasks = {document.task_id for document in collected.examples if document.tags}
    kept = held_out(project_id, tasks, least=services.gate.min_documents)
    lines = learning.crops.collect(project_id, collected.examples)
    features = {line: learning.crops.features(project_id, line.key, backbone) for line in lines}
    print(f"{'lines':24} {'CER':>8} {'right':>8} {'lines':>7}")

    def row(name: str, score: LineScore) -> None:
        print(f"{name[:24]:24} {100 * score.cer:7.2f}% {100 * score.line_accuracy:7.2f}% {score.lines:7}")

    for name, inside in (("held out", True), ("learned from", False)):
        own = [FeatureLine(features[line], line.text) for line in lines if (line.task_id in kept) == inside]
        if own:
            row(name, pooled(measure(head, own)))
    rendered = learning.rendered(backbone)
    kinds = {"ordinary": rendered.ordinary_measuring, "rare characters": rendered.rare_measuring}
    for kind, of_kind in kinds.items():
        if of_kind:
            row(f"rendered, {kind}", pooled(measure(head, of_kind)))
    measuring = [line for of_kind in kinds.values() for line in of_kind]
    for language in sorted({line.language for line in measuring}):
        row(f"rendered, {language}", pooled(measure(head, [line for line in measuring if line.language == language])))
    return 0


def find_recogniser(settings: Settings, named: str) -> Path | None:
    """Return the head that is meant by "shipped", a version's name such as ``p7-v3``, or a file or folder.

    Raises:
        VersionError: If there is none, or the version has none of its own.
    """
    if named == "shipped":
        return None
    from ml_backend.container import build_versions
    from model.registry.version_files import recogniser_of

    if found := _VERSION.fullmatch(named):
        registry = build_versions(settings)[0]
        head = recogniser_of(registry.folder_of(registry.version(int(found[1]), int(found[2]))))
        if head is None:
            raise VersionError(f"Version {named} has no recogniser of its own: it reads with the one that ships.")
        return head
    path = Path(named)
    if path.is_dir() and (own := recogniser_of(path)):
        return own
    if path.is_file():
        return path
    raise VersionError(f'There is no recogniser "{named}": give "shipped", a version such as p7-v3, or a file.')
