"""Text recognition behind one interface: :class:`OcrEngine`, built by :func:`build_engine`."""

from __future__ import annotations

from pathlib import Path

from model.errors import EngineError
from model.ocr.engine import OcrEngine, Reading

__all__ = ["ENGINES", "OcrEngine", "Reading", "build_engine"]

ENGINES = ("paddleocr", "rapidocr")
"""The names that :func:`build_engine` knows."""


def build_engine(name: str, *, models_dir: Path | None, threads: int = 0) -> OcrEngine:
    """Load an OCR engine; this takes seconds.

    Args:
        name: One of :data:`ENGINES`.
        models_dir: Folder with ``det/`` and ``rec/``; see :func:`model.ocr.files.find_models`. None takes the PP-OCRv6
            files of the rapidocr wheel or, where they are missing, what the library keeps or downloads itself.
        threads: CPU threads for a model's arithmetic; 0 takes all cores.

    Raises:
        EngineError: If the name is unknown, a file is missing or broken, or a package is not installed.
    """
    try:
        if name == "paddleocr":
            from model.ocr.paddle import build_paddle

            return build_paddle(models_dir, threads)
        if name == "rapidocr":
            from model.ocr.rapid import build_rapid

            return build_rapid(models_dir, threads)
    except ImportError as error:
        raise EngineError(
            f"The package {error.name or name} is not installed: pip install -r requirements.txt."
        ) from error
    raise EngineError(f"There is no OCR engine «{name}»; choose one of {', '.join(ENGINES)}.")
