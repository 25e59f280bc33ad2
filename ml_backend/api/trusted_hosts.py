"""Under which host names the backend answers.

A page of another site can give its own name the backend's address ("DNS rebinding"). To the visitor's browser the
backend is then that site: its scripts may read all that needs no credentials, and pass the panel's check for forms of
another site. The ``Host`` header still has that site's name, so a name that is not known is refused.

What a request must carry a token or a secret header for, or Basic auth, is answered under any name: no browser adds
these for a site that does not know them, and Label Studio and applications may call the backend by names that nobody
has told it.
"""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Request
from werkzeug.sansio.utils import host_is_trusted

from ml_backend.api.auth import Credentials
from ml_backend.errors import RequestError
from ml_backend.settings import Settings

#: Endings that nobody can register in the public DNS; `.local` is that of clusters (`.cluster.local`) too.
_LOCAL = (".internal", ".local", ".svc")
_API, _PROTOCOL, _WEBHOOK = "learning.", "protocol.", "protocol.webhook"


class TrustedHosts:
    """Checks the host names of requests.

    Args:
        settings: TRUSTED_HOSTS, and the names by which the backend is reached.
    """

    def __init__(self, settings: Settings) -> None:
        own = (settings.host, urlsplit(settings.public_url).hostname or "")
        # An address with colons is no name, and is trusted anyway.
        names = (name.lower() for name in own if name and ":" not in name)
        self._names = (*_LOCAL, *settings.trusted_host_names, *names)
        self._credentials = Credentials.of(settings)

    def check(self, request: Request) -> None:
        """Check the name that a request is for.

        Raises:
            RequestError: If the name is unknown and the route demands nothing that a browser would not send by itself.
        """
        if not self._demands_credentials(request.endpoint or ""):
            self.check_name(request.headers.get("Host"))

    def check_name(self, host: str | None) -> None:
        """Check a ``Host`` header; every browser sends one.

        Raises:
            RequestError: If it names another host.
        """
        if host is not None and not self.trusts(host):
            raise RequestError(
                "The backend does not answer under this host name.",
                "Add the name to TRUSTED_HOSTS, or call the backend by the name in BACKEND_URL.",
            )

    def trusts(self, host: str) -> bool:
        """Return whether a ``Host`` header names this backend: an IP address, a name without a dot, or a known one."""
        host = host.lower()
        if not host_is_trusted(host):
            return False
        name = urlsplit(f"//{host}").hostname or ""
        return not {".", ":"} & {*name} or _is_address(name) or host_is_trusted(host, self._names)

    def _demands_credentials(self, endpoint: str) -> bool:
        if endpoint == _WEBHOOK:
            return bool(self._credentials.webhook_secret)
        return endpoint.startswith(_API) or (endpoint.startswith(_PROTOCOL) and bool(self._credentials.user))


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
