"""How fast the classifier names fields: torch one page at a time, torch in batches, ONNX Runtime one page at a time.

    python -m benchmarks.classifier_speed --pages 60 --rounds 7 --threads 2

Pages are simulated readings of synthetic cards. Each round times all ways, one after the other, so that whatever else
the machine does falls on each; ratios are those of one round.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from model.extraction.encoding import Window
from model.extraction.extractor import build_encoder, load_checkpoint
from model.extraction.make_weights import simulated_card
from model.extraction.training import collate
from model.pipeline import SHIPPED_WEIGHTS

NAMES = ("input_ids", "bbox", "token_type_ids", "attention_mask")


class Logits(torch.nn.Module):
    """The classifier with its inputs in order and nothing but logits as output, as the exporter wants it."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Return the logits, shape ``(pages, tokens, tags)``."""
        logits: torch.Tensor = self.model(**dict(zip(NAMES, inputs, strict=True))).logits
        return logits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model, tokenizer = load_checkpoint(SHIPPED_WEIGHTS)
    logits = Logits(model).eval()
    encoder = build_encoder(model.config, tokenizer)
    pages = [simulated_card(3_600_000 + i).page for i in range(options.pages)]
    windows = [window for page in pages for window in encoder.encode(page)]
    single = [batch_of([window]) for window in windows]
    # Pages of about one length go together.
    ordered = sorted(windows, key=lambda window: len(window.input_ids))
    batched = [batch_of(ordered[i : i + options.batch]) for i in range(0, len(ordered), options.batch)]
    with tempfile.TemporaryDirectory() as folder:
        session = export(logits, single[0], Path(folder) / "classifier.onnx", options.threads)
    feeds = [{name: part.numpy() for name, part in zip(NAMES, inputs, strict=True)} for inputs in single]
    with torch.inference_mode():
        largest = max(
            float(np.abs(logits(*inputs).numpy() - session.run(None, feed)[0]).max())
            for inputs, feed in zip(single, feeds, strict=True)
        )
        ways: dict[str, Callable[[], object]] = {
            "torch, one page": lambda: [logits(*inputs) for inputs in single],
            f"torch, {options.batch} pages": lambda: [logits(*inputs) for inputs in batched],
            "ONNX Runtime, one page": lambda: [session.run(None, feed) for feed in feeds],
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(options.rounds):
            for name, way in ways.items():
                start = time.perf_counter()
                way()
                seconds[name].append(time.perf_counter() - start)
    print(f"{len(windows)} windows; logits of torch and ONNX Runtime differ by {largest:.1e} at most\n")
    print("| way | pages a second, median | time over torch's, one page: median (quartiles) |\n|---|---:|---:|")
    for name, times in seconds.items():
        ratios = [mine / torchs for mine, torchs in zip(times, seconds["torch, one page"], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        print(f"| {name} | {len(pages) / statistics.median(times):.1f} | {middle:.2f} ({low:.2f} to {high:.2f}) |")


def batch_of(windows: Sequence[Window]) -> tuple[torch.Tensor, ...]:
    """Return the padded inputs of several windows, in the order of :data:`NAMES`."""
    items = [{"input_ids": w.input_ids, "bbox": w.boxes, "token_type_ids": w.token_types} for w in windows]
    stacked = collate(items)
    return tuple(stacked[name] for name in NAMES)


def export(logits: Logits, example: tuple[torch.Tensor, ...], path: Path, threads: int) -> onnxruntime.InferenceSession:
    """Export the classifier for pages of any length and open it."""
    axes = {name: {0: "pages", 1: "tokens"} for name in (*NAMES, "logits")}
    torch.onnx.export(
        logits, example, str(path), input_names=list(NAMES), output_names=["logits"], dynamic_axes=axes, dynamo=False
    )
    print(f"exported: {path.stat().st_size / 1e6:.0f} MB")
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(str(path), settings)


if __name__ == "__main__":
    main()
