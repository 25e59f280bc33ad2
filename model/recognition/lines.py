"""Lines as the head sees them, with what they say; and files of them, their features rounded to a byte each."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from model.errors import RecogniserError
from model.recognition.graph import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class FeatureLine:
    """A line to learn from or to measure with.

    Attributes:
        features: What a backbone, or whatever looks at it, makes of its crop: shape (columns, features).
        text: What it says, as :func:`~model.recognition.charset.readable` leaves it.
        language: Two letters such as ``ru``; empty where nobody knows.
    """

    features: FloatArray
    text: str
    language: str = ""


def save_lines(lines: Sequence[FeatureLine], path: Path, *, backbone: str, steps: int = 255) -> None:
    """Write lines, their features rounded to one of ``steps`` values between each feature's extremes.

    Args:
        lines: One or more, all of one backbone.
        path: A file ending in ``.npz``.
        backbone: Digest of the backbone that made the features.
        steps: 255 loses next to nothing; 15 makes the file half as large, and the lines as if from a poorer print.
    """
    features = np.concatenate([line.features for line in lines]).astype(np.float32)
    low, high = np.quantile(features, 0.0005, axis=0), np.quantile(features, 0.9995, axis=0)
    scale = np.maximum((high - low) / steps, 1e-6)
    rounded = np.clip(np.round((features - low) / scale), 0, steps).astype(np.uint8)
    described = {
        "backbone": backbone,
        "lengths": [len(line.features) for line in lines],
        "texts": [line.text for line in lines],
        "languages": [line.language for line in lines],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        # Feature by feature, since neighbouring columns are alike and so are packed well.
        features=np.ascontiguousarray(rounded.T),
        low=low.astype(np.float32),
        scale=scale.astype(np.float32),
        lines=np.frombuffer(json.dumps(described, ensure_ascii=False).encode(), np.uint8),
    )
    path.write_bytes(buffer.getvalue())


def load_lines(path: Path, *, backbone: str) -> list[FeatureLine]:
    """Read what :func:`save_lines` wrote.

    Raises:
        RecogniserError: If the file is missing or damaged, or of another backbone.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            described = json.loads(file["lines"].tobytes())
            features = file["features"].T.astype(np.float32) * file["scale"] + file["low"]
        made, lengths = str(described["backbone"]), [int(n) for n in described["lengths"]]
        said = list(zip(described["texts"], described["languages"], strict=True))
        if sum(lengths) != len(features) or len(lengths) != len(said):
            raise ValueError("lines and features do not fit")
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
        raise RecogniserError(f"The lines {path} cannot be read.") from error
    if made != backbone:
        raise RecogniserError(f"The lines {path} belong to another backbone ({made}, not {backbone}).")
    parts = np.split(features, np.cumsum(lengths)[:-1])
    return [FeatureLine(part, str(text), str(language)) for part, (text, language) in zip(parts, said, strict=True)]
