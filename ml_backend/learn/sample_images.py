"""The images that samples name: files beside the samples, or in a folder, or behind an application's address."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from ml_backend.errors import ImageFetchError
from ml_backend.learn.sample_files import SampleError

_WEB = ("http://", "https://")


class SampleImages:
    """Finds the images of one file of samples.

    An application's samples name images by addresses of its own, such as ``/api/files/card.jpg``. They are looked for
    under that path, or the end of it, below ``place`` or beside the samples; or fetched, where ``place`` is an address.

    Args:
        base: Folder of the samples, from which relative paths go.
        max_bytes: Largest file; one byte more is read at most.
        place: A folder, or the address that images' paths go on from; empty for neither.
        fetch: Gets an image by its address; ``None`` where none may be fetched.
    """

    def __init__(
        self, base: Path, max_bytes: int, *, place: str = "", fetch: Callable[[str], bytes] | None = None
    ) -> None:
        self._base = base
        self._max_bytes = max_bytes
        self._address = place if place.startswith(_WEB) else ""
        self._folder = Path(place) if place and not self._address else None
        self._fetch = fetch
        #: Files that were found by the end of a path, and the image that each is.
        self._found: dict[Path, str] = {}

    def read(self, image: str) -> bytes:
        """Return the file of an image, as a sample names it.

        Raises:
            SampleError: If it cannot be found or fetched, or another image of the same name was taken for it.
        """
        try:
            return self._read(image)
        except ValueError as error:
            raise SampleError("the image's path or address holds a character that none has") from error

    def _read(self, image: str) -> bytes:
        if image.startswith(_WEB):
            return self._fetched(image)
        plain = self._base / image
        if _is_file(plain):
            return self._bytes(plain)
        if self._address:
            return self._fetched(urljoin(self._address, image))
        for path in self._candidates(image):
            if _is_file(path):
                other = self._found.setdefault(path.resolve(), image)
                if other != image:
                    raise SampleError(f"the images {other} and {image} are both found as {path.name}")
                return self._bytes(path)
        if image.startswith("/"):
            raise SampleError(
                f"the image {image} is an address of the application, and no such file is here; put it beside the "
                "samples, or name the images' folder or the application's address by --images"
            )
        return self._bytes(plain)

    def _candidates(self, image: str) -> Iterator[Path]:
        """Give where an image may be: below each folder the whole path first, then its ends, the longest first."""
        if self._folder is None and not image.startswith("/"):
            return
        parts = [part for part in unquote(urlsplit(image).path).split("/") if part not in ("", ".", "..")]
        folders = [self._base] if self._folder is None else [self._folder, self._base]
        for start in range(len(parts)):
            for folder in folders:
                yield folder.joinpath(*parts[start:])

    def _fetched(self, address: str) -> bytes:
        if self._fetch is None:
            raise SampleError(f"the image {address} is not fetched; put its file beside the samples")
        try:
            return self._fetch(address)
        except ImageFetchError as error:
            hint = f" {error.hint}" if error.hint else ""
            raise SampleError(f"the image {address} could not be fetched: {error}{hint}") from error

    def _bytes(self, path: Path) -> bytes:
        try:
            if path.exists() and not path.is_file():
                # Opening a pipe waits until something is written to it.
                raise SampleError(f"the image {path.name} is no file")
            with path.open("rb") as file:
                # One byte past the limit is enough to be refused.
                return file.read(self._max_bytes + 1)
        except OSError as error:
            raise SampleError(f"the image {path.name} cannot be read: {error.strerror}") from error


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
