"""Every sentence that the panel and the doctor can say, found in their code as gettext's own tools find it."""

from __future__ import annotations

from pathlib import Path

from babel.messages.extract import extract_from_dir

PACKAGE = Path(__file__).parents[3] / "ml_backend"
KEYWORDS = {"_": None, "n_": (1, 2), "say": None, "well": None}


def messages() -> list[str | tuple[str, str]]:
    """Return what is to be translated: a sentence, or one and its plural."""
    found: dict[str | tuple[str, str], None] = {}
    for folder in ("admin", "doctor"):
        for _, _, message, _, _ in extract_from_dir(
            PACKAGE / folder, [("**.py", "python"), ("**.html", "jinja2")], keywords=KEYWORDS
        ):
            if message and isinstance(message, tuple):
                message = tuple(part for part in message if isinstance(part, str))
            if message:
                found[message] = None
    return list(found)
