"""Score what ``python -m ml_backend predict`` wrote against a gold file.

    python -m ml_backend predict CARDS --out predictions.json
    python -m benchmarks.score_cards fields.json predictions.json --tagged-only

Both files map an image's name to a list of ``{"field", "text"}``. With ``--reliability`` the predictions' scores are
compared with how often they are right, and the expected calibration error is given.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from model.evaluation.entity_metrics import match_texts, score_fields
from model.extraction.calibration import expected_calibration_error, reliability


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gold", type=Path)
    parser.add_argument("predictions", type=Path)
    parser.add_argument("--similarity", type=float, default=0.8)
    parser.add_argument("--tagged-only", action="store_true")
    parser.add_argument("--reliability", action="store_true", help="compare scores with how often they are right")
    parser.add_argument("--fax-is-phone", action="store_true", help="count a predicted FAX as a PHONE")
    arguments = parser.parse_args()
    gold, predictions = (
        {
            name: [(entity["field"], entity["text"]) for entity in entities]
            for name, entities in json.loads(path.read_text(encoding="utf-8")).items()
        }
        for path in (arguments.gold, arguments.predictions)
    )
    if arguments.fax_is_phone:
        predictions = {
            name: [("PHONE" if field == "FAX" else field, text) for field, text in pairs]
            for name, pairs in predictions.items()
        }
    table = score_fields(gold, predictions, similarity=arguments.similarity, tagged_only=arguments.tagged_only)
    print("| field | gold | precision | recall | F1 |\n|---|---:|---:|---:|---:|")
    for field, score in table.items():
        print(f"| {field} | {score.wanted} | {score.precision:.3f} | {score.recall:.3f} | {score.f1:.3f} |")
    if arguments.reliability:
        show_reliability(gold, json.loads(arguments.predictions.read_text(encoding="utf-8")), arguments.similarity)


def show_reliability(
    gold: dict[str, list[tuple[str, str]]], predictions: dict[str, list[dict[str, Any]]], similarity: float
) -> None:
    """Print how often predictions of each confidence are right, on images whose truth has the field."""
    confidences: list[float] = []
    rights: list[bool] = []
    for name, pairs in gold.items():
        for field in sorted({field for field, _ in pairs}):
            given = [value for value in predictions.get(name, []) if value["field"] == field]
            true = [text for f, text in pairs if f == field]
            confidences += [value["score"] for value in given]
            rights += match_texts(true, [value["text"] for value in given], similarity)
    diagram = reliability(np.array(confidences), np.array(rights))
    print("\n| confidence | values | mean confidence | right |\n|---|---:|---:|---:|")
    for each in diagram:
        print(f"| {each.low:.1f} to {each.high:.1f} | {each.count} | {each.confidence:.3f} | {each.accuracy:.3f} |")
    print(f"\nexpected calibration error {expected_calibration_error(diagram):.3f}")


if __name__ == "__main__":
    main()
