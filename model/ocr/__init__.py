"""Text recognition behind one interface: :class:`OcrEngine`, built by :func:`build_engine`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from model.errors import EngineError
from model.ocr.engine import OcrEngine, Reading
from model.ocr.files import HeadChoice
from model.recognition.charset import DEFAULT_LANGUAGES

__all__ = ["ENGINES", "OcrEngine", "Reading", "build_engine"]

ENGINES = ("paddleocr", "rapidocr")
"""The names that :func:`build_engine` knows."""


def build_engine(
    name: str,
    *,
    models_dir: Path | None,
    threads: int = 0,
    recogniser: Path | None = None,
    languages: Sequence[str] = DEFAULT_LANGUAGES,
) -> OcrEngine:
    """Load an OCR engine; this takes seconds.

    Args:
        name: One of :data:`ENGINES`.
        models_dir: Folder with ``det/`` and ``rec/``; see :func:`model.ocr.files.find_models`. None takes the PP-OCRv6
            files of the rapidocr wheel or, where they are missing, what the library keeps or downloads itself.
        recogniser: A trained head's file or a folder with one, such as a model version's. None takes the head that
            ships, or, where ``models_dir`` brings a recogniser, that one's own.
        languages: Groups of characters to be read; see :func:`model.recognition.charset.charset_of`.
        threads: CPU threads for a model's arithmetic; 0 takes all cores.

    Raises:
        EngineError: If the name is unknown, a file is missing or broken, or a package is not installed.
    """
    try:
        if name == "paddleocr":
            from model.ocr.paddle import build_paddle

            return build_paddle(models_dir, threads, HeadChoice(recogniser, languages))
        if name == "rapidocr":
            from model.ocr.rapid import build_rapid

            return build_rapid(models_dir, threads, HeadChoice(recogniser, languages))
    except ImportError as error:
        raise EngineError(
            f"The package {error.name or name} is not installed: pip install -r requirements.txt."
        ) from error
    raise EngineError(f'There is no OCR engine "{name}"; choose one of {", ".join(ENGINES)}.')
