"""Fetching the image of a task, from where a task may name one and from nowhere else.

A task's data comes from the people who import tasks. Without care an address in it makes the backend read what only the
backend can reach: an internal service, a cloud's metadata, Label Studio's API with the backend's token, a file of this
machine.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, quote, unquote_to_bytes, urlsplit

from ml_backend.errors import ImageFetchError, ImageRefusedError, TokenRefusedError
from ml_backend.label_studio import download
from ml_backend.label_studio.addresses import USUAL_PORTS, origin_of, split_address
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.download import Answer
from ml_backend.label_studio.own_addresses import SERVED, OwnAddresses, ToldAddress, looks_served
from ml_backend.label_studio.project_paths import is_others
from ml_backend.label_studio.session import CREDENTIAL_HINT, Session
from ml_backend.settings import Settings
from model.errors import say

CLOUD_SCHEMES = frozenset({"s3", "gs", "azure-blob"})
MAX_REDIRECTS = 4

_LOCAL_FILES_HINT = say(
    "Set LOCAL_FILES_ROOT, or start Label Studio with LOCAL_FILES_SERVING_ENABLED=true and add a local storage."
)
_HOSTS_HINT = say("Add the host to ALLOWED_HOSTS if its images may be read.")
_NAME_HINT = say("If that is Label Studio, add that address to LABEL_STUDIO_PUBLIC_URL.")


class ImageSource:
    """Fetches images; safe to share between threads.

    Args:
        session: The connection to Label Studio; ``None`` where none is configured, and then its addresses are refused.
        public_urls: Other addresses of the same Label Studio. What is named by them, by the one that Label Studio tells
            itself, or by another name of the loopback is requested at the session's address.
        allowed_hosts: Other hosts that images may come from: a name, for the scheme's usual port, or ``name:port``.
            They may be on a private network.
        local_files_root: Folder that ``/data/local-files/?d=`` paths are read from; ``None``: through Label Studio.
        max_bytes: The largest file.
        timeout: Seconds for one image, all redirects included.
    """

    def __init__(
        self,
        session: Session | None,
        *,
        public_urls: Sequence[str] = (),
        allowed_hosts: frozenset[str] = frozenset(),
        local_files_root: Path | None = None,
        max_bytes: int = 30_000_000,
        timeout: float = 20.0,
    ) -> None:
        self._session = session
        self._own = OwnAddresses(session.url, public_urls, ToldAddress(session)) if session is not None else None
        self._allowed_hosts = allowed_hosts
        self._local_files_root = local_files_root
        self._max_bytes = max_bytes
        self._timeout = timeout

    def fetch(self, url: str, task_id: int | None = None, project_id: int | None = None) -> bytes:
        """Return the bytes of an image.

        Args:
            url: As it stands in the task's data.
            task_id: The task, which Label Studio needs to know for addresses in cloud storage.
            project_id: The project, whose files alone are read from Label Studio; ``None`` where it is not known.

        Raises:
            ImageRefusedError: If images are not read from there.
            ImageFetchError: If it cannot be fetched.
            TokenRefusedError: If Label Studio does not accept the backend's token.
        """
        deadline = time.monotonic() + self._timeout
        if url[:5].lower() == "data:":
            return self._embedded(url)
        parts = split_address(url)
        if parts.scheme in CLOUD_SCHEMES:
            parts = self._resolver(url, task_id)
        elif not parts.scheme and not parts.netloc:
            parts = self._below_label_studio(parts)
        elif parts.scheme not in USUAL_PORTS:
            raise ImageRefusedError(
                say("The image's address is of a kind that is not read."), say("Use http or https.")
            )
        parts = self._as_own(parts)
        if self._local_files_root is not None and self._served_path(parts).startswith("data/local-files/"):
            return self._local_file(parts, self._local_files_root)
        return self._get(parts, deadline, task_id, project_id)

    def _get(self, parts: SplitResult, deadline: float, task_id: int | None, project_id: int | None) -> bytes:
        from_label_studio = False
        for _ in range(MAX_REDIRECTS + 1):
            own = self._is_own(parts)
            if own and not SERVED.match(self._served_path(parts)):
                raise ImageRefusedError(say("The image's address is not one that Label Studio serves images under."))
            if own and not from_label_studio and is_others(self._served_path(parts), parts.query, task_id, project_id):
                raise ImageRefusedError(
                    say("The image belongs to another project."), say("Import it into the task's own project.")
                )
            allowed = own or self._is_allowed(parts)
            if not allowed and not from_label_studio:
                hint = _NAME_HINT if self._own is not None and looks_served(parts) else _HOSTS_HINT
                raise ImageRefusedError(say("Images are not read from {hostname}.", hostname=parts.hostname), hint)
            answer = self._ask_label_studio(parts, deadline) if own else self._ask(parts, {}, deadline, private=allowed)
            if answer.status not in {301, 302, 303, 307, 308}:
                return _image(answer, self._served_path(parts))
            parts = split_address(answer.headers.get("location", ""), parts.geturl())
            if parts.scheme not in USUAL_PORTS:
                raise ImageRefusedError(say("The image's address redirects to one of a kind that is not read."))
            parts = self._as_own(parts)
            if own and self._is_own(parts) and "/login" in parts.path:
                raise TokenRefusedError(
                    say("Label Studio asks for a login instead of sending the image."), CREDENTIAL_HINT
                )
            # Label Studio's own redirects lead to signed addresses in its storage, whose host nobody has to list.
            from_label_studio = own
        raise ImageFetchError(say("The image's address redirects too often."))

    def _ask_label_studio(self, parts: SplitResult, deadline: float) -> Answer:
        assert self._session is not None
        assert self._is_own(parts)  # the token goes nowhere else
        answer = self._ask(parts, _authorization(self._session), deadline, private=True)
        if answer.status == 401:  # the access token may just have expired
            self._session.forget_access_token()
            answer = self._ask(parts, _authorization(self._session), deadline, private=True)
        return answer

    def _ask(self, parts: SplitResult, headers: dict[str, str], deadline: float, *, private: bool) -> Answer:
        return download.get(
            parts._replace(fragment="").geturl(),
            headers=headers,
            deadline=deadline,
            max_bytes=self._max_bytes,
            allow_private=private,
        )

    def _embedded(self, url: str) -> bytes:
        """Decode a ``data:`` address, which leads nowhere and is therefore harmless."""
        head, comma, content = url.partition(",")
        if not comma or not head[5:].lower().startswith("image/") or not head.lower().endswith(";base64"):
            raise ImageRefusedError(
                say("The image is embedded in a way that is not read."), say("Use data:image/…;base64,….")
            )
        if len(content) > 4 * self._max_bytes:
            raise download.too_large(self._max_bytes)
        try:
            body = base64.b64decode(unquote_to_bytes(content), validate=True)
        except ValueError as error:
            raise ImageFetchError(say("The embedded image is not base64.")) from error
        if len(body) > self._max_bytes:
            raise download.too_large(self._max_bytes)
        return body

    def _local_file(self, parts: SplitResult, root: Path) -> bytes:
        """Read a file below ``root``; links are followed, and must end below it too."""
        missing = ImageFetchError(say("The image is not in LOCAL_FILES_ROOT."))
        try:
            root = root.resolve(strict=True)
            path = (root / parse_qs(parts.query).get("d", [""])[0].lstrip("/")).resolve(strict=True)
            if not path.is_relative_to(root) or not path.is_file():
                raise missing
            with path.open("rb") as file:
                body = file.read(self._max_bytes + 1)
        except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: a loop of links, before Python 3.13
            raise missing from error
        if len(body) > self._max_bytes:
            raise download.too_large(self._max_bytes)
        return body

    def _resolver(self, url: str, task_id: int | None) -> SplitResult:
        """Return the address under which Label Studio hands out what is in a cloud storage."""
        if task_id is None:
            raise ImageFetchError(say("An address in cloud storage can be resolved for a stored task only."))
        encoded = quote(base64.urlsafe_b64encode(url.strip().encode()).decode())
        return self._below_label_studio(urlsplit(f"/tasks/{task_id}/resolve/?fileuri={encoded}"))

    def _below_label_studio(self, parts: SplitResult) -> SplitResult:
        """Complete a path with Label Studio's address; it may hold the prefix already."""
        if self._own is None:
            raise ImageFetchError(
                say("The image is in Label Studio, which is not connected."),
                say("Set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY."),
            )
        if not parts.path.startswith("/"):
            raise ImageRefusedError(say("The image's address is neither a URL nor one of Label Studio's paths."))
        base = self._own.base
        return parts._replace(scheme=base.scheme, netloc=base.netloc, path=self._own.complete(parts.path))

    def _as_own(self, parts: SplitResult) -> SplitResult:
        """Return Label Studio's address as the backend asks for it, and any other as it is."""
        found = self._own.rewritten(parts) if self._own is not None else None
        if found is None:
            return parts
        # Something else may live at Label Studio's public address, and may be allowed.
        return found if SERVED.match(self._served_path(found)) or not self._is_allowed(parts) else parts

    def _is_own(self, parts: SplitResult) -> bool:
        return self._own is not None and self._own.is_base(parts)

    def _served_path(self, parts: SplitResult) -> str:
        return self._own.served_path(parts) if self._own is not None else ""

    def _is_allowed(self, parts: SplitResult) -> bool:
        origin = origin_of(parts)
        usual = origin.port == USUAL_PORTS[origin.scheme]
        return f"{origin.host}:{origin.port}" in self._allowed_hosts or (usual and origin.host in self._allowed_hosts)


def _authorization(session: Session) -> dict[str, str]:
    return {"Authorization": session.headers()["Authorization"]}


def _image(answer: Answer, served: str) -> bytes:
    """Return the body of an answer that holds an image; ``served`` is Label Studio's path, if it came from there."""
    if served and answer.status == 401:
        raise TokenRefusedError(
            say("Label Studio does not hand out the image to the backend's token."), CREDENTIAL_HINT
        )
    if served and answer.status == 403:
        local = served.startswith("data/local-files/")
        hint = _LOCAL_FILES_HINT if local else say("The token's user must be a member of the project.")
        raise ImageFetchError(say("Label Studio does not hand out the image to the token's user."), hint)
    if answer.status != 200:
        # Label Studio answers 500, not 404, for an upload that it does not know.
        gone = say("It may have been deleted.") if answer.status in {404, 410, 500} else ""
        raise ImageFetchError(say("The image could not be fetched (status {status}).", status=answer.status), gone)
    if not answer.body:
        raise ImageFetchError(say("The image is empty."))
    start = answer.body[:512].lstrip().lower()
    if answer.headers.get("content-type", "").startswith("text/html") or start.startswith(
        (b"<!doctype html", b"<html")
    ):
        if served:
            raise TokenRefusedError(say("Label Studio sent a page instead of the image."), CREDENTIAL_HINT)
        raise ImageFetchError(say("The image's address leads to a web page."))
    return answer.body


def build_images(settings: Settings, label_studio: LabelStudio | None) -> ImageSource:
    """Return what gets image files; without a Label Studio, its own addresses are refused."""
    return ImageSource(
        label_studio.session if label_studio else None,
        public_urls=settings.label_studio_public_urls,
        allowed_hosts=settings.image_hosts,
        local_files_root=settings.local_files_root,
        max_bytes=settings.max_image_bytes,
        timeout=settings.fetch_timeout_seconds,
    )
