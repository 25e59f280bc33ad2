"""How long one ``/predict`` takes for a card that was not read before, where the time goes, and whether memory grows.

    python -m benchmarks.predict_latency --predictions 1000

The application runs in this process with the settings of the environment, a store of its own and no Redis; each request
carries one card of 1,050 × 600 pixels that differs from all before it, so that nothing comes out of the cache.
"""

from __future__ import annotations

import argparse
import base64
import io
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

from ml_backend.api.services import Services
from ml_backend.app import create_app
from ml_backend.container import build_shared
from ml_backend.jobs.queue import JobQueue
from ml_backend.observability.logs import configure_logging
from ml_backend.observability.metrics import Metrics
from ml_backend.predict.interactive import DrawnRegions
from ml_backend.predict.service import PredictionService
from ml_backend.settings import Settings
from model.synthetic import FontSet, make_card

SIZE = (1050, 600)
EARLY = 50
CONFIG = """<View><Image name="image" value="$image"/><Labels name="label" toName="image">
<Label value="NAME"/><Label value="POSITION"/><Label value="COMPANY"/><Label value="PHONE"/><Label value="FAX"/>
<Label value="EMAIL"/><Label value="WEBSITE"/><Label value="ADDRESS"/></Labels><Rectangle name="bbox" toName="image"/>
<TextArea name="text" toName="image" perRegion="true"/></View>"""


class _Timed:
    """Passes one method on and times it as a stage."""

    def __init__(self, inner: Any, method: str, stage: str, metrics: Metrics) -> None:
        def timed(*arguments: Any) -> Any:
            with metrics.stage(stage):
                return getattr(inner, method)(*arguments)

        setattr(self, method, timed)


def cards(count: int, designs: int) -> Iterator[bytes]:
    """Give ``count`` JPEG files, no two alike, of ``designs`` synthetic cards."""
    fonts = FontSet.find()
    images = [
        Image.fromarray(make_card(seed, fonts=fonts).image).resize(SIZE, Image.Resampling.LANCZOS)
        for seed in range(min(count, designs))
    ]
    for number in range(count):
        pixels = np.array(images[number % len(images)])
        # Eight by eight pixels, a block of JPEG: enough for another file, too little for another reading.
        pixels[:8, :8] = (number * 7 % 256, number * 31 % 256, number // 256)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=92)
        yield buffer.getvalue()


def main() -> None:
    """Measure with a store that is thrown away."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--predictions", type=int, default=1000)
    parser.add_argument("--designs", type=int, default=40, help="different cards; the rest are variations of them")
    arguments = parser.parse_args()
    configure_logging("ERROR")
    with tempfile.TemporaryDirectory() as folder:
        measure(Settings(run_dir=Path(folder), database_url="", host="127.0.0.1"), arguments)


def measure(settings: Settings, arguments: argparse.Namespace) -> None:
    """Predict card after card, and print what it took."""
    start = time.perf_counter()
    parts = build_shared(settings)
    loading = time.perf_counter() - start
    metrics = parts.metrics
    _split_ocr(parts.engine, metrics)
    queue = JobQueue.at(settings.queue_url)
    drawn = DrawnRegions(parts.pipeline.decode, lambda _: parts.engine, parts.images)
    budget = settings.predict_budget_seconds
    service = PredictionService(parts.models, parts.predictor, drawn, queue, metrics, budget_seconds=budget)
    client = create_app(settings, Services(service, parts.store, metrics)).test_client()

    process = psutil.Process()
    seconds: list[float] = []
    memory: dict[int, int] = {}
    before = stages(metrics)
    for number, card in enumerate(cards(arguments.predictions, arguments.designs), start=1):
        url = "data:image/jpeg;base64," + base64.b64encode(card).decode()
        body = {"tasks": [{"id": number, "data": {"image": url}}], "project": "1.1", "label_config": CONFIG}
        start = time.perf_counter()
        answer = client.post("/predict", json=body)
        seconds.append(time.perf_counter() - start)
        assert answer.status_code == 200
        assert answer.json["results"][0]["result"], f"card {number} has no regions"
        if number in (EARLY, arguments.predictions):
            memory[number] = process.memory_info().rss
        if number % 100 == 0:
            print(f"{number} of {arguments.predictions}", flush=True)
    report(seconds, {name: total - before.get(name, 0.0) for name, total in stages(metrics).items()}, memory, loading)


def _split_ocr(engine: Any, metrics: Metrics) -> None:
    """Time the two halves of the engine apart; only a benchmark reaches that deep."""
    halves = engine._engine
    halves._detector = _Timed(halves._detector, "detect", "ocr_detection", metrics)
    halves._recogniser = _Timed(halves._recogniser, "recognise", "ocr_recognition", metrics)


def stages(metrics: Metrics) -> dict[str, float]:
    """Return the seconds spent in each stage so far."""
    found = {}
    for line in metrics.render().decode().splitlines():
        if line.startswith("ml_backend_stage_seconds_sum"):
            found[line.split('"')[1]] = float(line.rpartition(" ")[2])
    return found


def report(seconds: list[float], spent: dict[str, float], memory: dict[int, int], loading: float) -> None:
    """Print the tables."""
    total = sum(seconds)
    print(f"\nmodels loaded and warm in {loading:.1f} s\n")
    print("| predictions | median s | 95th percentile s |\n|---:|---:|---:|")
    print(f"| {len(seconds)} | {statistics.median(seconds):.3f} | {np.percentile(seconds, 95):.3f} |\n")
    print("| stage | ms a card | share |\n|---|---:|---:|")
    rows = {name: spent.get(name, 0.0) for name in ("ocr_detection", "ocr_recognition", "classifier", "conversion")}
    rows["all else (fetching, decoding, cache, JSON)"] = total - sum(rows.values())
    for name, value in rows.items():
        print(f"| {name} | {1000 * value / len(seconds):.1f} | {value / total:.1%} |")
    print("\n| after predictions | resident memory MiB |\n|---:|---:|")
    for number, size in memory.items():
        print(f"| {number} | {size / 2**20:.0f} |")
    if len(memory) == 2:
        early, late = memory.values()
        print(f"\ngrowth {late / early - 1:+.1%}")


if __name__ == "__main__":
    main()
