"""The files that a command was given: images, PDF and TIFF files, in folders or by themselves."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from model.document.formats import HEAD_BYTES, SUFFIXES, format_of
from model.document.page_files import is_pdf

IMAGE_SUFFIXES = SUFFIXES | {".pdf"}
"""Suffixes of the files that are taken from a folder; others are taken if they begin like one of these. A file named by
itself is taken whatever it is called."""


def find_images(
    paths: Sequence[Path], left_out: Callable[[Path], None] = lambda path: None
) -> Iterator[tuple[str, Path]]:
    """Yield each image once, with the name that it has in the output.

    Args:
        paths: Files, and folders that are searched with all below them.
        left_out: Called with each file of a folder that is no image, but for hidden ones.

    Yields:
        A file's own name, or its path within the folder it was found in; where that name was given to another file
        before, the whole path.
    """
    taken: set[str] = set()
    seen: set[Path] = set()
    for path in paths:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if path.is_dir():
                if not file.is_file():
                    continue
                if not _is_image(file):
                    if not any(part.startswith(".") for part in file.relative_to(path).parts):
                        left_out(file)
                    continue
            if (resolved := file.resolve()) in seen:
                continue
            name = file.relative_to(path).as_posix() if path.is_dir() else file.name
            name = file.as_posix() if name in taken else name
            taken.add(name)
            seen.add(resolved)
            yield name, file


def name_left_out(path: Path) -> None:
    """Say of a file in a folder that it is no image."""
    print(f"{path}: left out, for it is neither a PDF nor an image of a kind that is read.", file=sys.stderr)


def _is_image(path: Path) -> bool:
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return True
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return False
    return format_of(head) is not None or is_pdf(head)
