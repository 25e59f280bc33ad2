"""One GET request with hard limits: on the time for all of it, on the bytes, and on where it may connect to.

An ordinary client limits each wait for data, so that a server which sends a byte a second holds a thread for hours, and
it resolves a host's name again after the name was checked. Here both are decided at the socket.
"""

from __future__ import annotations

import functools
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import Any

import httpcore
import httpx

from ml_backend.errors import FileTooLargeError, ImageFetchError, ImageRefusedError
from model.errors import say


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        status: HTTP status.
        headers: Names in lower case.
        body: The content; empty unless the status is 200.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class _TooSlowError(Exception):
    """The deadline has passed."""


def get(url: str, *, headers: Mapping[str, str], deadline: float, max_bytes: int, allow_private: bool) -> Answer:
    """Fetch ``url`` without following redirects, through no proxy, and without decompressing.

    Args:
        url: An ``http`` or ``https`` address that has been checked.
        headers: To send.
        deadline: When all must be over, on :func:`time.monotonic`'s clock.
        max_bytes: The largest body that is accepted.
        allow_private: Whether the host may be on a private network, or this machine itself.

    Raises:
        ImageFetchError: If it cannot be fetched, takes too long, or is too large.
        ImageRefusedError: If the host is private and may not be.
    """
    sent = [("accept", "*/*"), ("accept-encoding", "identity"), *headers.items()]
    backend = _Backend(deadline, allow_private)
    try:
        with (
            httpcore.ConnectionPool(ssl_context=_tls(), network_backend=backend, max_connections=1) as pool,
            pool.stream("GET", url, headers=sent) as response,
        ):
            received = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            body = _body(response.iter_stream(), received, max_bytes) if response.status == 200 else b""
            return Answer(response.status, received, body)
    except (_TooSlowError, httpcore.TimeoutException) as error:
        raise ImageFetchError(
            say("The image took too long."), say("Raise FETCH_TIMEOUT_SECONDS if it is only slow.")
        ) from error
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
        raise ImageFetchError(
            say("The image's host does not answer as it should."),
            say("Check the address, and for https the certificate."),
        ) from error


def _body(chunks: Iterable[bytes], headers: Mapping[str, str], max_bytes: int) -> bytes:
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise too_large(max_bytes)
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > max_bytes:
            raise too_large(max_bytes)
    return bytes(body)


def too_large(max_bytes: int) -> FileTooLargeError:
    """Return the error for a file above the limit."""
    return FileTooLargeError(
        say("The image is larger than {max_bytes:,} bytes.", max_bytes=max_bytes),
        say("Raise MAX_IMAGE_BYTES if it is meant to be."),
    )


@functools.cache
def _tls() -> ssl.SSLContext:
    """Return the certificates to trust; reading them takes long enough to do it once."""
    return httpx.create_ssl_context()


def is_public(address: str) -> bool:
    """Return whether an IP address is one that anybody on the internet could reach as well."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ip.sixtofour or ip
    return ip.is_global and not ip.is_multicast


class _Backend(httpcore.NetworkBackend):
    """Connects to addresses that are allowed, and hands out streams that know the deadline."""

    def __init__(self, deadline: float, allow_private: bool) -> None:
        self._deadline = deadline
        self._allow_private = allow_private
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            found = _look_up(host, port, self._deadline)
        except (socket.gaierror, UnicodeError) as error:
            raise httpcore.ConnectError(f"unknown host: {host}") from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if not self._allow_private and not all(map(is_public, addresses)):
            raise ImageRefusedError(
                say("The image's address leads into a private network."),
                say("If that is meant to be, add its host to ALLOWED_HOSTS."),
            )
        failure: httpcore.NetworkError | httpcore.TimeoutException = httpcore.ConnectError(f"no address: {host}")
        for address in addresses:
            try:
                # The address that was checked, not the name, which could lead elsewhere by now.
                stream = self._inner.connect_tcp(
                    address, port, _left(self._deadline), local_address, socket_options=socket_options
                )
            except (httpcore.NetworkError, httpcore.TimeoutException) as error:
                failure = error
            else:
                return _Stream(stream, self._deadline)
        raise failure


class _Stream(httpcore.NetworkStream):
    """A stream on which every wait ends at the deadline."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: float) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(self._deadline))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, _left(self._deadline)), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _look_up(host: str, port: int, deadline: float) -> list[Any]:
    """Return what a host's name stands for, as :func:`socket.getaddrinfo` does, which has no limit of its own.

    Raises:
        OSError: If the name is unknown.
        UnicodeError: If it is none.
        _TooSlowError: If that takes too long; the thread that asked is left behind.
    """
    answer: Future[list[Any]] = Future()

    def ask() -> None:
        try:
            answer.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except Exception as error:  # noqa: BLE001 - it is raised where somebody waits
            answer.set_exception(error)

    threading.Thread(target=ask, name="look-up", daemon=True).start()
    try:
        return answer.result(_left(deadline))
    except FutureTimeoutError as error:
        raise _TooSlowError from error


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise _TooSlowError
    return left
