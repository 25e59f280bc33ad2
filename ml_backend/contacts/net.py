"""Addresses in the net as read, to addresses that can be written to and opened."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

# What RFC 5321 allows without quotes, and what people have: quoted local parts are on no card.
_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_HOST = r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_]{2,63}"
_EMAIL = re.compile(rf"{_LOCAL}@{_HOST}")
_HOST_ONLY = re.compile(_HOST)
_LABEL = re.compile(
    r"^\s*((e-?mail|mail|web(site)?|internet|url|почта|сайт)\s*(:|\.\s)|[ew]\s*:)\s*(?!//)(?=\S)", re.IGNORECASE
)
_LONGEST = 254


@dataclass(frozen=True, slots=True)
class EmailAddress:
    """A mail address; ``address`` is ``None`` where what was read cannot be one."""

    text: str
    address: str | None


@dataclass(frozen=True, slots=True)
class WebAddress:
    """A page of the web; ``url`` is ``None``, and ``host`` empty, where what was read cannot be one."""

    text: str
    url: str | None
    host: str


def parse_email(text: str) -> EmailAddress:
    """Read a mail address.

    Spaces within, and the sign in a circle that recognisers read for "@", are fixed; nothing else is guessed.
    """
    tight = _tight(re.sub(r"^mailto:", "", text.strip(), flags=re.IGNORECASE))
    if "@" not in tight and sum(tight.count(sign) for sign in "©®") == 1:
        tight = tight.replace("©", "@").replace("®", "@")
    local, _, host = tight.rpartition("@")
    address = f"{local}@{host.lower()}"
    return EmailAddress(text.strip(), address if len(address) <= _LONGEST and _EMAIL.fullmatch(address) else None)


def parse_website(text: str) -> WebAddress:
    """Read a page's address; without a scheme it gets ``https://``."""
    tight = _tight(text)
    tight = re.sub(r"^(https?)[:;]?/{1,2}", r"\1://", tight, flags=re.IGNORECASE)
    tight = re.sub(r"^www[,:;]", "www.", tight, flags=re.IGNORECASE)
    if not re.match(r"https?://", tight, re.IGNORECASE):
        tight = f"https://{tight}"
    try:
        parts = urlsplit(tight)
        host = (parts.hostname or "").lower()
        port = parts.port
    except ValueError:
        return WebAddress(text.strip(), None, "")
    if len(host) > _LONGEST or not _HOST_ONLY.fullmatch(host) or "@" in parts.netloc:
        return WebAddress(text.strip(), None, "")
    where = host if port is None else f"{host}:{port}"
    query = f"?{parts.query}" if parts.query else ""
    return WebAddress(text.strip(), f"{parts.scheme.lower()}://{where}{parts.path.rstrip('/')}{query}", host)


def _tight(text: str) -> str:
    return "".join(_LABEL.sub("", text).split()).strip(".,;:|()[]<>")
