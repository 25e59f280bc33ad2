"""From corrections to a better version and a new order: how long does the whole way take, and what does it gain?

    MIN_TRAINING_SAMPLES=60 python -m ml_backend run      # in one terminal
    python -m benchmarks.learning_loop                    # in another

80 badges of a design that the shipped weights never saw, with fields that they do not know, are pre-labelled; a script
corrects 60 of them from the truth, through Label Studio's API, and does nothing else. Entity F1 is that of field and
text on the 20 untouched badges, before and after; the time counts from the last annotation.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from ml_backend.label_studio.client import LabelStudio
from ml_backend.projects.setup import BackendAddress
from tests.e2e.loop import play


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run-dir", type=Path, default=Path(".run"), help="folder of the running system")
    parser.add_argument("--badges", type=int, default=80)
    parser.add_argument("--annotated", type=int, default=60)
    parser.add_argument("--patience", type=float, default=1200, help="seconds")
    arguments = parser.parse_args()
    connection = json.loads((arguments.run_dir / "connection.json").read_text())
    secrets = json.loads((arguments.run_dir / "secrets.json").read_text())
    client = LabelStudio(connection["label_studio_url"], connection["api_key"], timeout=120)
    backend = BackendAddress(url=connection["backend_url"], webhook_secret=secrets["webhook_secret"])
    with tempfile.TemporaryDirectory() as folder:
        played = play(
            client,
            backend,
            f"sqlite:///{(arguments.run_dir / 'store.sqlite3').absolute()}",
            Path(folder),
            badges=arguments.badges,
            annotated=arguments.annotated,
            patience=arguments.patience,
            say=lambda line: print(line, flush=True),
        )
    print(f"run {played.run_seconds:.0f} s, whole way {played.order_seconds:.0f} s")


if __name__ == "__main__":
    main()
