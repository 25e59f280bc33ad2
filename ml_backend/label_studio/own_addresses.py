"""The addresses under which people and tasks name Label Studio, and the one that the backend uses in their place.

A task may name an image by the address in a person's browser, which is not always LABEL_STUDIO_URL. Such an address is
rewritten, never requested: the token goes to LABEL_STUDIO_URL and nowhere else, whatever a name claims to be.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from urllib.parse import SplitResult, unquote, urlsplit

from ml_backend.errors import BackendError, ImageRefusedError
from ml_backend.label_studio.addresses import USUAL_PORTS, Origin, origin_of, split_address
from ml_backend.label_studio.session import Session
from ml_backend.observability.logs import get_logger
from model.errors import say

_log = get_logger(__name__)

#: What Label Studio serves images under, below its path prefix. Anything else there is its API or a page.
SERVED = re.compile(r"(data/upload/|data/local-files/|storage-data/|static/|(tasks|projects)/\d+/(resolve|presign)/)")

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_SAMPLE_CONFIG = '<View><Image name="image" value="$image"/></View>'
_SAMPLE_PATH = re.compile(r"/static/samples/[^/]*$")
_ASK_SECONDS = 5
_AGAIN_SECONDS, _AFTER_FAILURE_SECONDS = 600.0, 60.0


class ToldAddress:
    """The public address (LABEL_STUDIO_HOST) that Label Studio itself puts into addresses; threads may share it.

    Args:
        session: The connection to Label Studio.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._known: str | None = None
        self._ask_at = 0.0

    def get(self) -> str | None:
        """Return the address without a final slash, looked up once in ten minutes; ``None`` where it tells none."""
        with self._lock:
            if time.monotonic() >= self._ask_at:
                try:
                    self._known = self._ask()
                    self._ask_at = time.monotonic() + _AGAIN_SECONDS
                except BackendError as error:
                    # What was told before still holds.
                    _log.info("public_address_unknown", error=str(error))
                    self._ask_at = time.monotonic() + _AFTER_FAILURE_SECONDS
            return self._known

    def _ask(self) -> str | None:
        # Its API has no name for the setting, but the sample task of a configuration names a sample image by it.
        limit = {"request_options": {"timeout_in_seconds": _ASK_SECONDS}}
        action, one = say("tell its public address"), {"page_size": 1}
        request = self._session.request
        projects = self._session.read(action, lambda: request("GET", "api/projects/", params=one, **limit))
        rows = projects.get("results") if isinstance(projects, Mapping) else None
        number = rows[0].get("id") if isinstance(rows, list) and rows and isinstance(rows[0], Mapping) else None
        if not isinstance(number, int):
            return None
        path, body = f"api/projects/{number}/sample-task/", {"label_config": _SAMPLE_CONFIG}
        answer = self._session.read(action, lambda: request("POST", path, json=body, **limit))
        task = answer.get("sample_task") if isinstance(answer, Mapping) else None
        image = task.get("image") if isinstance(task, Mapping) else None
        if not isinstance(image, str) or not _SAMPLE_PATH.search(image):
            return None
        address = _SAMPLE_PATH.sub("", image)
        return address if address.startswith(("http://", "https://")) else None


class OwnAddresses:
    """Recognises Label Studio's addresses.

    Args:
        url: The address that the backend uses, with its path prefix and a final slash.
        public: Other addresses of the same Label Studio.
        told: What Label Studio says itself; ``None`` where nothing is looked up.
    """

    def __init__(self, url: str, public: Iterable[str] = (), told: ToldAddress | None = None) -> None:
        self.base = urlsplit(url)
        self._public = tuple(public)
        self._told = told

    def is_base(self, parts: SplitResult) -> bool:
        """Say whether an address leads to where the backend sends its token."""
        return origin_of(parts) == origin_of(self.base)

    def complete(self, path: str) -> str:
        """Return a path with Label Studio's prefix, which it may hold already."""
        prefix = self.base.path
        return path if path.startswith(prefix) else prefix + path.lstrip("/")

    def served_path(self, parts: SplitResult) -> str:
        """Return the path below Label Studio's prefix; empty if it is not Label Studio's, or tries to climb."""
        if not self.is_base(parts) or not parts.path.startswith(self.base.path):
            return ""
        path = parts.path[len(self.base.path) :]
        steps = re.split(r"[/\\]", unquote(unquote(path)))
        return "" if ".." in steps or "." in steps else path

    def rewritten(self, parts: SplitResult) -> SplitResult | None:
        """Return the address as the backend asks for it; ``None`` if it is not one of Label Studio's."""
        if parts.scheme not in USUAL_PORTS:
            return None
        if self.is_base(parts):
            return parts
        if _place(parts) == _place(self.base):
            return self._moved(parts, parts.path)
        for address in self._public:
            if (found := self._below(parts, address)) is not None:
                return found
        if self._told is not None and looks_served(parts) and (told := self._told.get()):
            return self._below(parts, told)
        return None

    def _below(self, parts: SplitResult, address: str) -> SplitResult | None:
        try:
            public = split_address(address)
        except ImageRefusedError:
            return None
        prefix = public.path.rstrip("/") + "/"
        if _place(parts) != _place(public) or not parts.path.startswith(prefix):
            return None
        return self._moved(parts, self.complete("/" + parts.path[len(prefix) :].lstrip("/")))

    def _moved(self, parts: SplitResult, path: str) -> SplitResult:
        return parts._replace(scheme=self.base.scheme, netloc=self.base.netloc, path=path)


def looks_served(parts: SplitResult) -> bool:
    """Say whether a path is like those that Label Studio serves images under, below whatever prefix."""
    return any(SERVED.match(parts.path, start.end()) for start in re.finditer("/", parts.path))


def _place(parts: SplitResult) -> Origin:
    """Return where an address leads, all names of this machine's loopback being one."""
    origin = origin_of(parts)
    return replace(origin, host="localhost") if origin.host in _LOOPBACK else origin
