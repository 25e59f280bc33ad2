"""Gunicorn's worker with threads, in which no client that is slow or silent holds a thread.

Gunicorn's own gives every new connection a thread, which then waits for headers and body for as long as the client
likes: as many silent connections as there are threads stop it. Here the loop that waits for connections also reads
them, and sends what a client does not take at once. A thread gets a request when all of it is there and leaves its
answer behind, so it never waits for a client. What is read and sent is bounded by time, by size and in sum; the
credentials are looked at before any body is waited for; ``/health`` has threads of its own. Waitress buffers in the
same way, but its timeout starts again with every byte, it knows nothing of credentials and it keeps no thread for
``/health``.

This builds on gunicorn's internals, whose version is pinned: ``TConn``, ``ThreadWorker``, ``RequestParser`` and
``SocketUnreader``. ``tests/ml_backend/api/test_slow_clients.py`` runs all of it in a real process.
"""

from __future__ import annotations

import errno
import re
import selectors
import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from os import SEEK_END
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
#: An answer may be on its way for so long, and a second more for each piece of :data:`BODY_BYTES_A_SECOND` taken.
SEND_SECONDS = 20.0
#: For so long, after the last answer, is read what a client still sends, so that it sees the answer.
LINGER_SECONDS = 2.0
#: Threads for ``/health`` alone.
URGENT_THREADS = 2
#: Of the connections, these are kept free of requests that wait for a thread.
FREE_CONNECTIONS = 64

_PIECE = 64 * 1024
# As large as what comes without credentials: strangers cause no temporary files, each of which is a descriptor.
_IN_MEMORY = 1024 * 1024
_ACCEPTED_AT_ONCE = 64
_END_OF_HEADERS = b"\r\n\r\n"
_NO_MORE_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_REASONS = {408: "Request Timeout", 413: "Content Too Large", 431: "Request Header Fields Too Large"}
_REASONS |= {503: "Service Unavailable"}


class AnswerSocket(socket.socket):
    """A client's socket on which no thread waits: what the client does not take at once is kept for the loop.

    Attributes:
        unsent: Bytes of answers that are kept.
    """

    def __init__(self, fileno: int) -> None:
        super().__init__(fileno=fileno)
        self.unsent = 0
        self._kept = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115

    def setblocking(self, _flag: bool, /) -> None:
        """Never block, whatever gunicorn asks for."""
        super().setblocking(False)

    def sendall(self, data: Any, _flags: int = 0, /) -> None:
        """Send what the client takes now, and keep the rest."""
        view = memoryview(data)
        if not self.unsent:
            view = view[self._send_now(view) :]
        self._kept.write(view)
        self.unsent += len(view)

    def send_kept(self) -> int:
        """Send what the client takes now of the rest; return how many bytes that was."""
        self._kept.seek(-self.unsent, SEEK_END)
        sent = self._send_now(memoryview(self._kept.read(_PIECE)))
        self.unsent -= sent
        if not self.unsent:
            self._kept.seek(0)
            self._kept.truncate()
        return sent

    def close(self) -> None:
        """End the connection, and forget the rest."""
        self._kept.close()
        super().close()

    def _send_now(self, data: memoryview) -> int:
        try:
            return self.send(data)
        except BlockingIOError:
            return 0


class ChunkedEnd:
    """Finds the end of a chunked body while it comes; what the chunks say is read by gunicorn afterwards.

    Raises:
        ValueError: From :meth:`feed`, if this is no chunked body.
    """

    _LONGEST_LINE = 1024
    _SIZE = re.compile(rb"[0-9a-fA-F]{1,12}")

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
        digits = line.partition(b";")[0].strip()
        if not self._SIZE.fullmatch(digits):
            raise ValueError("a chunk has no size")
        size = int(digits, 16)
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

    def __init__(self, sock: socket.socket, spool: Any) -> None:
        super().__init__(sock)
        self._spool = spool

    def chunk(self) -> bytes:
        data: bytes = self._spool.read(self.mxchunk)
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
        super().__init__(cfg, AnswerSocket(sock.detach()), client, server)
        self.data_ready = self.initialized = True
        self.incoming = Incoming()
        self.rest = b""
        self.idle_until = 0.0
        self.answered = 0.0
        self.taken = 0
        self.keep = False

    def begin_reading(self) -> None:
        """Give the request that is there to a parser, which sees nothing of the ones before and behind."""
        self.incoming.spool.seek(0)
        self.parser = RequestParser(self.cfg, self.sock, self.client)
        self.parser.unreader = _Unreader(self.sock, self.incoming.spool)

    @property
    def trusted(self) -> bool:
        """Whether what it sends comes with credentials."""
        return self.incoming.allowance is not None and self.incoming.allowance.trusted

    def next_request(self) -> None:
        """Forget the request that was answered."""
        self.incoming.spool.close()
        self.incoming = Incoming()
        self.idle_until = time.monotonic() + self.cfg.keepalive

    def send_is_late(self, now: float) -> bool:
        """Return whether the client has had its time to take the answer."""
        return now - self.answered > SEND_SECONDS + self.taken / BODY_BYTES_A_SECOND


class BufferingWorker(ThreadWorker):  # type: ignore[misc]
    """The worker; see the module."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._most_connections = self.worker_connections
        # Never reached, so that gunicorn's loop goes on to take connections: room is made for them here.
        self.worker_connections += 1
        # By when they began to wait: the first has waited longest.
        self._reading: dict[Connection, None] = {}
        self._sending: dict[Connection, None] = {}
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
        """Take new connections and wait for what they send; the ones that waited longest make room."""
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                client, address = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _NO_MORE_FILES:
                    raise
                if not self._evict():
                    return
                continue
            if self.nr_conns >= self._most_connections and not self._evict():
                client.close()
                continue
            self.nr_conns += 1
            self._await(Connection(self.cfg, client, address, listener.getsockname()))

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Wait for events, but no longer than deadlines allow: gunicorn waits for long while it ends."""
        super().wait_for_and_dispatch_events(min(timeout, 1.0))

    def enqueue_req(self, conn: Connection) -> None:
        """Give a request that is there to a thread."""
        assert self._urgent is not None
        allowance = conn.incoming.allowance
        urgent = allowance is not None and allowance.urgent
        if not urgent and self._submitted >= self._most_connections - FREE_CONNECTIONS:
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
        """Send the rest of the answer, and go on with the connection, without waiting for the client."""
        self._forget_bytes(conn)
        conn.keep = not fs.cancelled() and fs.exception() is None and bool(fs.result())
        if not conn.sock.unsent:
            self._go_on(conn)
            return
        conn.answered, conn.taken = time.monotonic(), 0
        try:
            self.poller.register(conn.sock, selectors.EVENT_WRITE, partial(self._write, conn))
        except (OSError, ValueError):
            # Broken, and closed by gunicorn.
            self._close(conn)
            return
        self._sending[conn] = None

    def _write(self, conn: Connection, _socket: socket.socket) -> None:
        if conn not in self._sending:
            return
        try:
            conn.taken += conn.sock.send_kept()
        except OSError:
            self._drop(conn)
            return
        if not conn.sock.unsent:
            self._stop_waiting(conn)
            self._go_on(conn)

    def _go_on(self, conn: Connection) -> None:
        """Wait for the connection's next request, or end it."""
        if not conn.keep or not self.alive:
            self._linger(conn)
            return
        conn.next_request()
        self._await(conn)
        if conn.rest:
            # Sent before it saw the answer; nothing will announce it.
            data, conn.rest = conn.rest, b""
            self._take(conn, data)

    def handle_request(self, req: Any, conn: Connection) -> Any:
        """Answer a request; the connection ends with it where its body was left unread."""
        # Who waits for that has been told, or is not to send any.
        req._expected_100_continue = False
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
            elif not self.alive and not conn.trusted:
                # Nobody waits for strangers while the process ends.
                self._answer(conn, 503)
        late = [conn for conn in self._sending if conn.send_is_late(now)]
        for conn in [*late, *(conn for conn, until in self._lingering.items() if now > until)]:
            self._drop(conn)

    def _await(self, conn: Connection) -> None:
        self._reading[conn] = None
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._read, conn))

    def _read(self, conn: Connection, _socket: socket.socket) -> None:
        if conn not in self._reading and conn not in self._lingering:
            # It had to go in favour of another, with this news under way.
            return
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
                # A line break between requests, which old clients send, begins none.
                data = data.lstrip(b"\r\n")
                if conn.idle_until:
                    incoming.started = time.monotonic()
            searched = max(len(incoming.head) - len(_END_OF_HEADERS), 0)
            incoming.head += data
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
        """End the connection that has waited longest, those with credentials last; return whether there was one.

        Args:
            trusted: Only one whose body counts as such.
            spare: Not this one.
        """
        if trusted is None:
            for conn in (*islice(self._lingering, 1), *islice(self._sending, 1)):
                self._drop(conn)
                return True
        least = {False} if trusted is None else {trusted}
        of_least = (conn for conn in self._reading if conn is not spare and conn.trusted in least)
        others = (conn for conn in self._reading if trusted is None)
        for conn in chain(of_least, others):
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
        for waiting in (self._reading, self._sending, self._lingering):
            if conn in waiting:
                del waiting[conn]
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
    # A client that takes nothing gets nothing.
    with suppress(OSError):
        conn.sock.send(data)


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
