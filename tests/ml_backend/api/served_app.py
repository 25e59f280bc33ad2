"""The application as gunicorn serves it in tests: real routes without models, and one answer that is large."""

from collections.abc import Callable, Iterable

from ml_backend.settings import Settings
from tests.ml_backend.backend import ImageTable, build_backend

LARGE = 24 * 1024 * 1024
#: What makes an application that answers with as many bytes as ``/large`` does.
Application = Callable[..., Iterable[bytes]]


class _Reader:
    version = "none"


def build() -> Application:
    """Return the application."""
    app = build_backend(Settings(), _Reader(), None, ImageTable()).app

    def serve(environ: dict[str, object], start_response: Callable[..., object]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/large":
            start_response("200 OK", [("Content-Length", str(LARGE))])
            return [b"x" * 1024 * 1024] * (LARGE // 1024 // 1024)
        return app(environ, start_response)

    return serve
