"""Taking web addresses apart, so that what is checked is what is asked."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from ml_backend.errors import ImageRefusedError
from model.errors import say

USUAL_PORTS = {"http": 80, "https": 443}

_URL_CHARACTERS = ":/?#[]@!$&'()*+,;=%~\\\t\r\n"  # letters beyond ASCII and blanks are written as per cents
_UNCLEAR = frozenset("\\\t\r\n")  # some readers take these for slashes, or leave them out


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an address leads, and nothing else.

    Attributes:
        scheme: In lower case.
        host: In lower case; an IPv6 address in brackets.
        port: The usual one where none is given; 0 for a scheme without a usual one.
    """

    scheme: str
    host: str
    port: int


def split_address(url: str, base: str = "") -> SplitResult:
    """Take an address apart.

    Args:
        url: The address, whatever somebody wrote.
        base: What it is relative to, if it is; an address that was taken apart before.

    Raises:
        ImageRefusedError: If two readers could understand it differently.
    """
    try:
        url = quote(urljoin(base, url.strip()), safe=_URL_CHARACTERS)
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise ImageRefusedError(say("The image's address is not a URL.")) from error
    if not url or not _UNCLEAR.isdisjoint(url):
        raise ImageRefusedError(say("The image's address is not a URL."))
    if "@" in parts.netloc:
        raise ImageRefusedError(say("The image's address holds a user name."), say("Remove it."))
    if parts.scheme in USUAL_PORTS and not parts.hostname:
        raise ImageRefusedError(say("The image's address has no host."))
    return parts


def origin_of(parts: SplitResult) -> Origin:
    """Return where an address leads."""
    host = (parts.hostname or "").lower().rstrip(".")
    return Origin(parts.scheme, f"[{host}]" if ":" in host else host, parts.port or USUAL_PORTS.get(parts.scheme, 0))
