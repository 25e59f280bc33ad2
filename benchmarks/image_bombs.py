"""How much memory small files take that unfold into large images, one alone and several at once.

    python -m benchmarks.image_bombs --images 5 --side 7680 [--decode]

For each kind of file a process of its own loads the models, makes the file, and predicts it in as many threads as there
are images, each time as if it were new. Its peak of resident memory is compared with what it had before. An image that
finds no place in time (``DECODE_BUDGET_MEGAPIXELS``) is counted as told so; anything else that fails ends the program
with status 1. With ``--decode`` images are not read but held for two seconds each, which needs no models.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from io import BytesIO

import psutil
from PIL import Image, ImageDraw

from model.document.images import load_image
from model.errors import ModelError
from model.pipeline import build_pipeline

KINDS = ("grey PNG", "palette PNG", "RGBA PNG", "16-bit PNG", "turned JPEG", "float TIFF")
_MIB = 1 << 20
_BYTES, _PIXELS = 30_000_000, 60_000_000


def bomb(kind: str, side: int) -> bytes:
    """Return a small file with a square image of ``side`` pixels, with two lines of print in a corner."""
    grey = Image.new("L", (side, side), 255)
    draw = ImageDraw.Draw(grey)
    for number, line in enumerate(("Ada Lovelace", "ada@example.org")):
        draw.text((side // 20, side // 20 * (1 + number)), line, fill=0, font_size=side // 40)
    file = BytesIO()
    if kind == "grey PNG":
        grey.save(file, "PNG")
    elif kind == "palette PNG":
        grey.convert("P").save(file, "PNG", transparency=0)
    elif kind == "RGBA PNG":
        Image.merge("RGBA", (grey, grey, grey, Image.new("L", grey.size, 200))).save(file, "PNG")
    elif kind == "16-bit PNG":
        grey.convert("I;16").point(lambda value: value * 257).save(file, "PNG")
    elif kind == "turned JPEG":
        exif = Image.Exif()
        exif[0x0112] = 6
        grey.convert("RGB").save(file, "JPEG", quality=30, exif=exif)
    else:
        grey.convert("F").save(file, "TIFF", compression="tiff_adobe_deflate")
    return file.getvalue()


def measure(kind: str, images: int, side: int, work: Callable[[bytes], object]) -> dict[str, object]:
    """Predict one file in several threads; return what it took, in MiB and seconds."""
    data = subprocess.run(
        [sys.executable, "-m", "benchmarks.image_bombs", "--write", kind, "--side", str(side)],
        capture_output=True,
        check=True,
    ).stdout
    work(bomb("grey PNG", 400))
    before = psutil.Process().memory_info().rss
    outcomes: Counter[str] = Counter()
    began = time.monotonic()
    threads = [threading.Thread(target=_predict, args=(work, data, outcomes)) for _ in range(images)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "kind": kind,
        "kilobytes": round(len(data) / 1000),
        "images": images,
        "more_mib": round((peak - before) / _MIB),
        "seconds": round(time.monotonic() - began, 1),
        "outcomes": dict(outcomes),
    }


def reader() -> Callable[[bytes], object]:
    """Return what reads an image file and names its fields."""
    pipeline = build_pipeline(
        engine="paddleocr",
        ocr_models_dir=None,
        extractor_dir=None,
        threads=0,
        max_image_bytes=_BYTES,
        max_image_pixels=_PIXELS,
    )
    return pipeline.predict


def holder(data: bytes) -> None:
    """Decode an image file and hold its pixels for a while."""
    image = load_image(data, max_bytes=_BYTES, max_pixels=_PIXELS)
    time.sleep(2)
    del image


def _predict(work: Callable[[bytes], object], data: bytes, outcomes: Counter[str]) -> None:
    try:
        work(data)
    except ModelError as error:
        outcomes[type(error).__name__] += 1
    else:
        outcomes["read"] += 1


def main() -> int:
    """Print a row for each kind and number of images; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=5, help="how many at once")
    parser.add_argument("--side", type=int, default=7680, help="of the square, in pixels")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--decode", action="store_true", help="decode alone")
    parser.add_argument("--measure", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--write", choices=KINDS, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.write:
        sys.stdout.buffer.write(bomb(chosen.write, chosen.side))
        return 0
    if chosen.measure:
        print(json.dumps(measure(chosen.measure, chosen.images, chosen.side, holder if chosen.decode else reader())))
        return 0
    failed = False
    print("| file | kB | images at once | more memory, MiB | seconds | outcomes |\n|---|---:|---:|---:|---:|---|")
    for kind in chosen.kinds:
        for images in dict.fromkeys((1, chosen.images)):
            command = [
                sys.executable,
                "-m",
                "benchmarks.image_bombs",
                "--measure",
                kind,
                *(["--decode"] if chosen.decode else []),
            ]
            done = subprocess.run(
                [*command, "--images", str(images), "--side", str(chosen.side)],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
                timeout=900,
            )
            row = json.loads(done.stdout.splitlines()[-1])
            told = ", ".join(f"{number} {what}" for what, number in row["outcomes"].items())
            cells = (kind, row["kilobytes"], images, f"{row['more_mib']:,}", row["seconds"], told)
            print(f"| {' | '.join(map(str, cells))} |", flush=True)
            failed |= not row["outcomes"].keys() <= {"read", "ImageBusyError"}
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
