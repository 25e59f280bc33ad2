"""Every sentence that may be said in another language, found in the code as gettext's own tools find it."""

from __future__ import annotations

import functools
from pathlib import Path

from babel.messages.extract import extract_from_dir

ROOT = Path(__file__).parents[3]
#: What makes sentences: in the pages' code and the doctor's, and anywhere.
PAGES = {"_": None, "n_": (1, 2), "say": None, "ok": None}
ANYWHERE = {"say": None}


@functools.cache
def messages() -> list[str | tuple[str, str]]:
    """Return what is to be translated: a sentence, or one and its plural."""
    found: dict[str | tuple[str, str], None] = {}
    folders = {"ml_backend/admin": PAGES, "ml_backend/ops/doctor": PAGES, "ml_backend": ANYWHERE, "model": ANYWHERE}
    for folder, keywords in folders.items():
        # What a launch prints is English.
        methods = [("launch/**.py", "ignore"), ("**.py", "python"), ("**.html", "jinja2")]
        for _, _, message, _, _ in extract_from_dir(ROOT / folder, methods, keywords=keywords):
            if message and isinstance(message, tuple):
                message = tuple(part for part in message if isinstance(part, str))
            if message:
                found[message] = None
    return list(found)
