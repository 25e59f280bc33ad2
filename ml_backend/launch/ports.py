"""Whether a port is free, asked before anything starts."""

from __future__ import annotations

import socket

from ml_backend.errors import LaunchError


def check_port(port: int, *, host: str, what: str, setting: str) -> None:
    """Make sure that a server can listen on ``host:port``.

    Args:
        port: The port wanted.
        host: The address to listen on.
        what: What wants it, such as ``the backend``.
        setting: The setting that moves it elsewhere.

    Raises:
        LaunchError: If another process has the port, or the address is not one of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as server:
        # As servers do: a port whose last connections are still closing down is free.
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((host, port))
        except OSError as error:
            raise LaunchError(
                f"Port {port}, which {what} needs, cannot be used on {host} ({error.strerror}).",
                f"Stop what listens there, or choose another with {setting}=... before the command.",
            ) from error


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])
