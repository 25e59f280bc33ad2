"""Gunicorn's worker with threads, in which no client that is slow or silent holds a thread.

Gunicorn's own gives every new connection a thread, which then waits for headers and body for as long as the client
likes: as many silent connections as there are threads stop it. Here the loop that waits for connections also reads
them. A thread gets a request when all of it is there, so it never waits for a client to send. What is read is bounded
by time, by size and in sum; the credentials are looked at before any body is waited for; ``/health`` has threads of
its own. Waitress buffers in the same way, but its timeout starts again with every byte, it knows nothing of
credentials and it keeps no thread for ``/health``.
"""

from __future__ import annotations

import errno
import selectors
import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import Any

from gunicorn.http.parser import RequestParser  # type: ignore[import-untyped]
from gunicorn.http.unreader import SocketUnreader  # type: ignore[import-untyped]
from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]

from ml_backend.api.admission import Admission, Allowance
from ml_backend.settings import Settings

#: From the connection, or the first byte of a later request, to the end of its headers.
HEADER_SECONDS = 10.0
MAX_HEADER_BYTES = 64 * 1024
#: A body may take so long, and a second more for each piece of so many bytes that has come.
BODY_SECONDS = 20.0
BODY_BYTES_A_SECOND = 64 * 1024
#: Bodies under way, together: without credentials, and with them. Above that the one that began first has to go.
MAX_ANONYMOUS_BYTES = 32 * 1024 * 1024
MAX_TRUSTED_BYTES = 512 * 1024 * 1024
#: A client that does not take its answer keeps its thread for no longer, for each piece of the answer.
SEND_SECONDS = 20.0
#: For so long, after the last answer, is read what a client still sends, so that it sees the answer.
LINGER_SECONDS = 2.0
#: Threads for ``/health`` alone.
URGENT_THREADS = 2
#: Of the connections, these are kept free of requests that wait for a thread.
FREE_CONNECTIONS = 64

_PIECE = 64 * 1024
_IN_MEMORY = 64 * 1024
_ACCEPTED_AT_ONCE = 64
_END_OF_HEADERS = b"\r\n\r\n"
_GONE = (errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED, errno.EINTR)
_NO_MORE_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_REASONS = {408: "Request Timeout", 413: "Content Too Large", 431: "Request Header Fields Too Large"}
_REASONS |= {503: "Service Unavailable"}


class DeadlineSocket(socket.socket):
    """A socket whose blocking calls end: what gunicorn calls blocking has a limit here."""

    def setblocking(self, flag: bool, /) -> None:
        """Block for :data:`SEND_SECONDS` at most, or not at all."""
        self.settimeout(SEND_SECONDS if flag else 0.0)


class ChunkedEnd:
    """Finds the end of a chunked body while it comes; what the chunks say is read by gunicorn afterwards.

    Raises:
        ValueError: From :meth:`feed`, if this is no chunked body.
    """

    _LONGEST_LINE = 1024

    def __init__(self) -> None:
        self._line = bytearray()
        self._left = 0
        self._in_trailers = False
        self.done = False

    def feed(self, data: bytes) -> int:
        """Take in some bytes; return how many of them belong to the body."""
        at = 0
        while at < len(data) and not self.done:
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
                at += step
                continue
            stop = data.find(b"\n", at)
            self._line += data[at : stop + 1 if stop >= 0 else len(data)]
            at = stop + 1 if stop >= 0 else len(data)
            if len(self._line) > self._LONGEST_LINE:
                raise ValueError("a line of a chunked body is too long")
            if stop >= 0:
                self._end_line()
        return at

    def _end_line(self) -> None:
        line = bytes(self._line).rstrip(b"\r\n")
        self._line.clear()
        if self._in_trailers:
            self.done = not line
            return
        size = int(line.partition(b";")[0].strip(), 16)
        if size < 0:
            raise ValueError("a chunk has less than no bytes")
        if size == 0:
            self._in_trailers = True
        else:
            # The line break behind the chunk belongs to it.
            self._left = size + 2


@dataclass
class Incoming:
    """A request while it comes.

    Attributes:
        spool: What has come of it: in memory first, then in a temporary file.
        started: When it began, by the monotonic clock.
        allowance: What it may bring along; ``None`` until its headers are there.
        body_started: When its headers were there.
        received: Bytes of its body so far.
        length: Bytes of its body; ``None`` where it is chunked.
        chunks: Finds the end of a chunked body.
        cut: Whether its body is left unread, so that the connection ends with the answer.
    """

    spool: Any = field(default_factory=lambda: SpooledTemporaryFile(max_size=_IN_MEMORY))  # noqa: SIM115
    head: bytearray = field(default_factory=bytearray)
    started: float = field(default_factory=time.monotonic)
    allowance: Allowance | None = None
    body_started: float = 0.0
    received: int = 0
    length: int | None = 0
    chunks: ChunkedEnd | None = None
    cut: bool = False

    @property
    def has_begun(self) -> bool:
        """Whether anything has come."""
        return bool(self.head) or self.allowance is not None

    def late(self, now: float) -> bool:
        """Return whether its time is up."""
        if self.allowance is None:
            return now - self.started > HEADER_SECONDS
        return now - self.body_started > BODY_SECONDS + self.received / BODY_BYTES_A_SECOND


class _RefusedError(Exception):
    """A request that is answered by the loop, with a status alone."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class _Unreader(SocketUnreader):  # type: ignore[misc]
    """Reads the request that is there; the socket is never read by a thread."""

    spool: Any = None

    def chunk(self) -> bytes:
        data: bytes = self.spool.read(self.mxchunk) if self.spool is not None else b""
        return data


class Connection(TConn):  # type: ignore[misc]
    """A connection that is read by the loop.

    Args:
        cfg: Gunicorn's configuration.
        sock: The client's socket.
        client: Its address.
        server: Ours.
    """

    def __init__(self, cfg: Any, sock: socket.socket, client: Any, server: Any) -> None:
        super().__init__(cfg, DeadlineSocket(fileno=sock.detach()), client, server)
        self.data_ready = True
        self.incoming = Incoming()
        self.rest = b""
        self.idle_until = 0.0

    def init(self) -> None:
        """Give the parser the request that is there."""
        if not self.initialized:
            self.initialized = True
            self.parser = RequestParser(self.cfg, self.sock, self.client)
            self.parser.unreader = _Unreader(self.sock)
        self.sock.setblocking(True)

    def begin_reading(self) -> None:
        """Make the request that is there the parser's next."""
        self.init()
        self.incoming.spool.seek(0)
        self.parser.unreader.spool = self.incoming.spool

    def next_request(self) -> None:
        """Forget the request that was answered."""
        self.incoming.spool.close()
        self.parser.unreader.spool = None
        self.incoming = Incoming()


class BufferingWorker(ThreadWorker):  # type: ignore[misc]
    """The worker; see the module."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        # By when they began to wait: the first has waited longest.
        self._reading: dict[Connection, None] = {}
        self._lingering: dict[Connection, float] = {}
        self._submitted = 0
        self._bytes = {True: 0, False: 0}
        self._urgent: ThreadPoolExecutor | None = None
        self._admission: Admission | None = None

    def init_process(self) -> None:
        """Start the threads."""
        self._urgent = ThreadPoolExecutor(max_workers=URGENT_THREADS, thread_name_prefix="health")
        self._admission = Admission(Settings())
        super().init_process()

    def accept(self, listener: socket.socket) -> None:
        """Take new connections and wait for what they send."""
        for _ in range(_ACCEPTED_AT_ONCE):
            if self.nr_conns >= self.worker_connections and not self._evict():
                return
            try:
                client, address = listener.accept()
            except OSError as error:
                if error.errno in _NO_MORE_FILES and self._evict():
                    continue
                if error.errno not in (*_GONE, *_NO_MORE_FILES):
                    raise
                return
            self.nr_conns += 1
            self._await(Connection(self.cfg, client, address, listener.getsockname()))

    def enqueue_req(self, conn: Connection) -> None:
        """Give a request that is there to a thread."""
        assert self._urgent is not None
        allowance = conn.incoming.allowance
        urgent = allowance is not None and allowance.urgent
        if not urgent and self._submitted >= self.worker_connections - FREE_CONNECTIONS:
            self._answer(conn, 503)
            return
        self._submitted += not urgent
        conn.begin_reading()
        future = (self._urgent if urgent else self.tpool).submit(self.handle, conn)
        future.add_done_callback(lambda done: self.method_queue.defer(self._finish, conn, done, urgent))

    def _finish(self, conn: Connection, done: Future[Any], urgent: bool) -> None:
        self._submitted -= not urgent
        self.finish_request(conn, done)

    def finish_request(self, conn: Connection, fs: Future[Any]) -> None:
        """Wait for the connection's next request, or end it, without waiting for the client in either case."""
        self._forget_bytes(conn)
        keep = not fs.cancelled() and fs.exception() is None and bool(fs.result())
        if not keep or not self.alive:
            self._linger(conn)
            return
        conn.next_request()
        conn.idle_until = time.monotonic() + self.cfg.keepalive
        self._await(conn)
        if conn.rest:
            # Sent before it saw the answer; nothing will announce it.
            data, conn.rest = conn.rest, b""
            self._take(conn, data)

    def handle_request(self, req: Any, conn: Connection) -> Any:
        """Answer a request; the connection ends with it where its body was left unread."""
        if conn.incoming.cut:
            req.force_close()
        return super().handle_request(req, conn)

    def murder_pending(self) -> None:
        """End connections whose time is up; gunicorn's loop calls this at least once a second."""
        now = time.monotonic()
        for conn in list(self._reading):
            incoming = conn.incoming
            if not incoming.has_begun and conn.idle_until:
                if now > conn.idle_until or not self.alive:
                    self._drop(conn)
            elif incoming.late(now):
                self._answer(conn, 408)
            elif not self.alive and not incoming.has_begun:
                self._drop(conn)
        for conn in [conn for conn, until in self._lingering.items() if now > until]:
            self._drop(conn)

    def _await(self, conn: Connection) -> None:
        conn.sock.setblocking(False)
        self._reading[conn] = None
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._read, conn))

    def _read(self, conn: Connection, _socket: socket.socket) -> None:
        try:
            data = conn.sock.recv(_PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if conn in self._lingering:
            if not data:
                self._drop(conn)
        elif data:
            self._take(conn, data)
        else:
            # Closed before the request was complete.
            self._drop(conn)

    def _take(self, conn: Connection, data: bytes) -> None:
        try:
            complete = self._feed(conn, data)
        except _RefusedError as refused:
            self._answer(conn, refused.status)
            return
        except OSError as error:
            # No room for the temporary file.
            self.log.warning("A request could not be kept: %s", error.strerror)
            self._answer(conn, 503)
            return
        if complete:
            self._stop_waiting(conn)
            self.enqueue_req(conn)

    def _feed(self, conn: Connection, data: bytes) -> bool:
        """Add what has come to a request; return whether it is complete.

        Raises:
            _RefusedError: If it is too large.
        """
        incoming = conn.incoming
        if incoming.allowance is None:
            if not incoming.head:
                incoming.started = time.monotonic()
            # A line break between requests, which old clients send, begins none.
            searched = max(len(incoming.head) - len(_END_OF_HEADERS), 0)
            incoming.head += data if incoming.head else data.lstrip(b"\r\n")
            end = incoming.head.find(_END_OF_HEADERS, searched)
            if end < 0:
                if len(incoming.head) > MAX_HEADER_BYTES:
                    raise _RefusedError(431)
                return False
            end += len(_END_OF_HEADERS)
            data = bytes(incoming.head[end:])
            del incoming.head[end:]
            self._admit(conn)
        return self._feed_body(conn, data)

    def _admit(self, conn: Connection) -> None:
        """Look at the headers: which body is there to wait for?"""
        incoming = conn.incoming
        target, headers, lengths = _parse(bytes(incoming.head))
        incoming.spool.write(bytes(incoming.head))
        incoming.body_started = time.monotonic()
        assert self._admission is not None
        incoming.allowance = allowance = self._admission.of(target, headers)
        if lengths is None:
            # Not how a body is announced; gunicorn says so to the client.
            incoming.cut = True
        elif "transfer-encoding" in headers:
            incoming.cut = allowance.body_bytes == 0
            incoming.length, incoming.chunks = None, ChunkedEnd()
        else:
            incoming.length = lengths
            # The route says why it is too large, or who may not send it; it needs no body for that.
            incoming.cut = lengths > allowance.body_bytes
        if not incoming.cut and headers.get("expect", "").lower() == "100-continue" and incoming.length != 0:
            _send(conn, b"HTTP/1.1 100 Continue\r\n\r\n")

    def _feed_body(self, conn: Connection, data: bytes) -> bool:
        incoming = conn.incoming
        if incoming.cut:
            return True
        if incoming.chunks is not None:
            try:
                taken = incoming.chunks.feed(data)
            except ValueError:
                incoming.cut = True
                taken = len(data)
        else:
            assert incoming.length is not None
            taken = min(len(data), incoming.length - incoming.received)
        self._keep(conn, data[:taken])
        conn.rest = data[taken:]
        if incoming.cut:
            return True
        return incoming.chunks.done if incoming.chunks is not None else incoming.received == incoming.length

    def _keep(self, conn: Connection, data: bytes) -> None:
        incoming = conn.incoming
        assert incoming.allowance is not None
        trusted = incoming.allowance.trusted
        limit = MAX_TRUSTED_BYTES if trusted else MAX_ANONYMOUS_BYTES
        incoming.received += len(data)
        self._bytes[trusted] += len(data)
        # Lengths and line breaks of chunks come on top of the body.
        if incoming.chunks is not None and incoming.received > 2 * incoming.allowance.body_bytes:
            raise _RefusedError(413)
        while self._bytes[trusted] > limit:
            if not self._evict(trusted=trusted, spare=conn):
                raise _RefusedError(503)
        incoming.spool.write(data)

    def _evict(self, *, trusted: bool | None = None, spare: Connection | None = None) -> bool:
        """End the connection whose request has taken longest to come; return whether there was one.

        Args:
            trusted: Only those whose bodies count as such.
            spare: Not this one.
        """
        for conn in self._lingering if trusted is None else ():
            self._drop(conn)
            return True
        for conn in self._reading:
            allowance = conn.incoming.allowance
            if conn is spare or (trusted is not None and (allowance is None or allowance.trusted != trusted)):
                continue
            self._answer(conn, 503 if conn.incoming.has_begun else None)
            if conn in self._lingering:
                self._drop(conn)
            return True
        return False

    def _answer(self, conn: Connection, status: int | None) -> None:
        """Answer from the loop, as far as the client takes it at once, and end the connection."""
        if status is not None and conn.incoming.has_begun:
            again = "Retry-After: 5\r\n" if status == 503 else ""
            _send(
                conn,
                f"HTTP/1.1 {status} {_REASONS[status]}\r\nConnection: close\r\n{again}Content-Length: 0\r\n\r\n".encode(),  # noqa: E501
            )
        self._stop_waiting(conn)
        self._forget_bytes(conn)
        self._linger(conn)

    def _linger(self, conn: Connection) -> None:
        """Say that nothing more comes, and read on for a moment: a reset would take the answer from the client."""
        conn.incoming.spool.close()
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._read, conn))
        except (OSError, ValueError, KeyError):
            self._close(conn)
            return
        self._lingering[conn] = time.monotonic() + LINGER_SECONDS

    def _drop(self, conn: Connection) -> None:
        self._stop_waiting(conn)
        self._forget_bytes(conn)
        self._close(conn)

    def _stop_waiting(self, conn: Connection) -> None:
        if conn in self._reading or conn in self._lingering:
            self._reading.pop(conn, None)
            self._lingering.pop(conn, None)
            self.poller.unregister(conn.sock)

    def _forget_bytes(self, conn: Connection) -> None:
        incoming = conn.incoming
        if incoming.allowance is not None:
            self._bytes[incoming.allowance.trusted] -= incoming.received
            incoming.received = 0

    def _close(self, conn: Connection) -> None:
        conn.incoming.spool.close()
        self.nr_conns -= 1
        conn.close()


def _send(conn: Connection, data: bytes) -> None:
    try:
        conn.sock.setblocking(False)
        conn.sock.send(data)
    except OSError:
        # A client that takes nothing gets nothing.
        pass


def _parse(head: bytes) -> tuple[str, dict[str, str], int | None]:
    """Return target, headers and length of the body; no length where the headers contradict each other."""
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    words = first.split(" ")
    target = words[1] if len(words) == 3 else ""
    headers: dict[str, str] = {}
    odd = False
    for line in lines:
        name, _, value = line.partition(":")
        name = name.lower()
        odd |= name in headers and name in ("content-length", "transfer-encoding", "authorization", "x-webhook-secret")
        headers[name] = value.strip(" \t")
    length = headers.get("content-length", "0")
    odd |= not (length.isascii() and length.isdigit() and len(length) < 16)
    if "transfer-encoding" in headers:
        odd |= "content-length" in headers or headers["transfer-encoding"].lower() != "chunked"
    return target, headers, None if odd else int(length)
