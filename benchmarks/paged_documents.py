"""How long a PDF takes page by page, and whether memory grows with its pages.

    python -m benchmarks.paged_documents [--pages 50]

Draws A4 pages of plain text at 200 dpi, splits the PDF, and has each page read and named by the models that ship, as
a prediction of a task with a list of pages is made. Prints the seconds of each step and the memory of both processes.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import psutil
from faker import Faker
from PIL import Image, ImageDraw, ImageFont
from prometheus_client import CollectorRegistry

from ml_backend.label_studio.label_config import PageId, parse_label_config
from ml_backend.label_studio.records import Task
from ml_backend.launch.label_configs import documents_config
from ml_backend.lineup import Lineup
from ml_backend.metrics import Metrics
from ml_backend.predictor import TaskPredictor
from ml_backend.store import Store
from model.page_splitting import PageLimits, split_pages
from model.pipeline import build_pipeline

LIMITS = PageLimits(100_000_000, 500, 60_000_000)


def document(pages: int) -> bytes:
    """Return a PDF with ``pages`` pages of thirty lines each."""
    fake, font = Faker(), ImageFont.load_default(34)
    fake.seed_instance(1)
    drawn = []
    for number in range(pages):
        page = Image.new("L", (1654, 2339), 255)
        draw = ImageDraw.Draw(page)
        for line in range(30):
            draw.text((140, 160 + 66 * line), f"{number + 1}.{line + 1} {fake.sentence(8)}", fill=0, font=font)
        drawn.append(page)
    buffer = BytesIO()
    drawn[0].save(buffer, "PDF", save_all=True, append_images=drawn[1:], resolution=200)
    return buffer.getvalue()


class Folder:
    """Page images as files, and what was asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fetch(self, url: str, task_id: int | None = None) -> bytes:
        """Return a page."""
        return (self.folder / url).read_bytes()


def main() -> None:
    """Print the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=50)
    count = parser.parse_args().pages
    me = psutil.Process()
    data = document(count)
    print(f"{count} pages, {len(data) / 1e6:.1f} MB")
    with tempfile.TemporaryDirectory() as name:
        folder, drawn, child = Path(name), [], 0
        before, start = me.memory_info().rss, time.perf_counter()
        for number, page in enumerate(split_pages(data, LIMITS)):
            drawn.append(time.perf_counter() - start)
            (folder / f"{number}.png").write_bytes(page)
            child = max([child, *(each.memory_info().rss for each in me.children())])
            start = time.perf_counter()
        grown = me.memory_info().rss - before
        print(f"drawing: {np.mean(drawn[1:]):.2f} s a page (the first {drawn[0]:.2f} s)")
        print(f"memory of the process that draws: {child / 1e6:.0f} MB at most; this one grew by {grown / 1e6:.0f} MB")

        store = Store(f"sqlite:///{folder / 'store.sqlite3'}")
        pipeline = build_pipeline(
            engine="paddleocr",
            ocr_models_dir=None,
            extractor_dir=None,
            threads=2,
            max_image_bytes=10**8,
            max_image_pixels=10**8,
            cache=store,
        )
        predictor = TaskPredictor(Folder(folder), Metrics(CollectorRegistry()), max_pages=500)
        task = Task(1, 1, {"pages": [f"{number}.png" for number in range(count)]}, is_labeled=False)
        config, lineup = parse_label_config(documents_config()), Lineup(1, pipeline)
        sizes: list[float] = []

        def file_of(page: PageId, url: str) -> bytes:
            sizes.append(me.memory_info().rss / 1e6)
            return (folder / url).read_bytes()

        for what in ("read for the first time", "read before"):
            sizes.clear()
            start = time.perf_counter()
            (made,) = predictor.predict(task, config, lineup, file_of=file_of)
            seconds = time.perf_counter() - start
            third = len(sizes) // 3
            memory = (np.mean(sizes[third : 2 * third]), np.mean(sizes[2 * third :]))
            print(f"{what}: {seconds / count:.2f} s a page, {seconds:.0f} s in all")
            print(f"  memory in the second and the last third of the pages: {memory[0]:.0f} and {memory[1]:.0f} MB")
        print(f"{len({part['id'] for part in made['result']})} regions")
        store.close()
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB")


if __name__ == "__main__":
    main()
