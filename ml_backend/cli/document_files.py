"""The files that a command was given: images, PDF and TIFF files, in folders or by themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".pdf"})
"""Suffixes of the files that are taken from a folder; a file named by itself is taken whatever it is called."""


def find_images(paths: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """Yield each image once, with the name that it has in the output.

    Args:
        paths: Files, and folders that are searched with all below them.

    Yields:
        A file's own name, or its path within the folder it was found in; where that name was given to another file
        before, the whole path.
    """
    taken: set[str] = set()
    seen: set[Path] = set()
    for path in paths:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if path.is_dir() and (file.suffix.lower() not in IMAGE_SUFFIXES or not file.is_file()):
                continue
            if (resolved := file.resolve()) in seen:
                continue
            name = file.relative_to(path).as_posix() if path.is_dir() else file.name
            name = file.as_posix() if name in taken else name
            taken.add(name)
            seen.add(resolved)
            yield name, file
