"""Score what ``python -m ml_backend predict`` wrote against a gold file.

    python -m ml_backend predict CARDS --out predictions.json
    python -m benchmarks.score_cards fields.json predictions.json --tagged-only

Both files map an image's name to a list of ``{"field", "text"}``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from model.evaluation import score_fields


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gold", type=Path)
    parser.add_argument("predictions", type=Path)
    parser.add_argument("--similarity", type=float, default=0.8)
    parser.add_argument("--tagged-only", action="store_true")
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


if __name__ == "__main__":
    main()
