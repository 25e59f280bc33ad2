"""Corrections of one kind of misreading, made in Label Studio: do the next pre-labels have it right?

    MIN_TRAINING_SAMPLES=50 python -m ml_backend run      # in one terminal
    python -m benchmarks.recogniser_loop                  # in another

80 badges bear a price behind the sign of the tenge, which the recogniser that ships does not know. A script corrects 50
of them through Label Studio's API, and does nothing else. Counted are the untouched badges on which the sign is read,
before and after; the time counts from the last annotation.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from ml_backend.label_studio.client import LabelStudio
from ml_backend.projects.setup import BackendAddress
from tests.e2e.loop import play, signs_read


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run-dir", type=Path, default=Path(".run"), help="folder of the running system")
    parser.add_argument("--badges", type=int, default=80)
    parser.add_argument("--annotated", type=int, default=50)
    parser.add_argument("--patience", type=float, default=1800, help="seconds")
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
            sign=True,
            say=lambda line: print(line, flush=True),
        )
    right, of = signs_read(client, played.project_id, played.version)
    print(f"the sign is read on {right} of {of} untouched badges, which are pre-labelled by {played.version}")
    print(f"run {played.run_seconds:.0f} s, whole way {played.order_seconds:.0f} s")


if __name__ == "__main__":
    main()
