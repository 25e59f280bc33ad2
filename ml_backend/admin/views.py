"""The panel's frame: who is let in, which language is spoken, how errors look, and what every page has."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    g,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import generate_csrf
from werkzeug.exceptions import HTTPException

from ml_backend.admin.language import LANGUAGE_COOKIE, LANGUAGES, Translator, translator_of
from ml_backend.admin.pages import add_pages
from ml_backend.admin.panel import Panel
from ml_backend.admin.session import Limit, PanelSession, check_form, inside, limit_tries, prepare, seal
from ml_backend.api.limits import MAX_FORM_BYTES
from ml_backend.errors import BackendError
from ml_backend.i18n import say
from ml_backend.observability.logs import get_logger
from ml_backend.store.panel_logouts import PanelLogouts
from model.errors import ImageBusyError, ModelError

THEMES = ("auto", "light", "dark")
THEME_COOKIE = "panel-theme"

_FOLDER = Path(__file__).parent
_OPEN = frozenset({"panel.login", "panel.log_in", "panel.static", "panel.set_language", "panel.set_theme"})
_YEAR = 365 * 24 * 3600

_log = get_logger(__name__)


def add_panel(app: Flask, panel: Panel | None, *, token: str, secure: bool, redis_url: str = "") -> None:
    """Add the panel to the application.

    Args:
        app: The application.
        panel: What its pages work with; ``None`` if no token is set, and then it stays closed.
        token: Lets people in.
        secure: Whether cookies may travel over HTTPS only.
        redis_url: Where several processes count wrong tokens together; empty: each by itself.
    """
    if panel is None or not token:
        app.register_blueprint(_closed())
        return
    prepare(app, token, secure=secure)
    limited = limit_tries(app, redis_url)
    visitor = PanelSession(token, PanelLogouts(panel.engine))
    app.register_blueprint(create_blueprint(panel, visitor, limited, secure=secure))


def create_blueprint(panel: Panel, visitor: PanelSession, limited: Limit, *, secure: bool) -> Blueprint:
    """Return the panel's routes.

    Args:
        panel: What its pages work with.
        visitor: Lets people in.
        limited: Decorates the view that checks tokens.
        secure: Whether cookies may travel over HTTPS only.
    """
    blueprint = Blueprint(
        "panel",
        __name__,
        url_prefix="/admin",
        template_folder=str(_FOLDER / "templates"),
        static_folder=str(_FOLDER / "static"),
        static_url_path="/static",
    )

    @blueprint.before_request
    def admit() -> ResponseReturnValue | None:
        request.max_content_length = MAX_FORM_BYTES
        g.translator = translator_of(request)
        if request.method == "POST":
            check_form(request)
        if request.endpoint not in _OPEN and not visitor.is_in:
            if request.method != "GET" or request.accept_mimetypes.best == "application/json":
                abort(401)
            return redirect(url_for("panel.login", next=request.full_path.rstrip("?")))
        return None

    @blueprint.after_request
    def close_up(response: Response) -> Response:
        if request.endpoint == "panel.static":
            response.headers["Cache-Control"] = "private, max-age=3600"
        return seal(response)

    @blueprint.context_processor
    def common() -> dict[str, Any]:
        translator: Translator = g.translator
        theme = request.cookies.get(THEME_COOKIE, "auto")
        return {
            "_": translator,
            "n_": translator.count,
            "translator": translator,
            "languages": LANGUAGES,
            "themes": THEMES,
            "theme": theme if theme in THEMES else "auto",
            "is_in": visitor.was_in,
            "form_secret": generate_csrf,
            "new_key": lambda: secrets.token_urlsafe(24),
            "here": request.full_path.rstrip("?"),
        }

    @blueprint.get("/login")
    def login() -> ResponseReturnValue:
        if visitor.is_in:
            return redirect(url_for("panel.home"))
        return render_template("login.html", wrong=False, next=inside(request.args.get("next", "")))

    @blueprint.post("/login")
    @limited
    def log_in() -> ResponseReturnValue:
        wanted = inside(request.form.get("next", ""))
        if visitor.enter(request.form.get("token", "")):
            return redirect(wanted or url_for("panel.home"), 303)
        _log.warning("panel_login_refused", address=request.remote_addr)
        return render_template("login.html", wrong=True, next=wanted), 401

    @blueprint.post("/logout")
    def log_out() -> ResponseReturnValue:
        visitor.leave()
        return redirect(url_for("panel.login"), 303)

    @blueprint.post("/language")
    def set_language() -> ResponseReturnValue:
        return _remember(LANGUAGE_COOKIE, request.form.get("language", ""), LANGUAGES)

    @blueprint.post("/theme")
    def set_theme() -> ResponseReturnValue:
        return _remember(THEME_COOKIE, request.form.get("theme", ""), THEMES)

    def _remember(cookie: str, value: str, known: object) -> ResponseReturnValue:
        response = make_response(redirect(inside(request.form.get("next", "")) or url_for("panel.home"), 303))
        if value in known:  # type: ignore[operator]
            response.set_cookie(
                cookie, value, max_age=_YEAR, path="/admin", secure=secure, httponly=True, samesite="Lax"
            )
        return response

    add_pages(blueprint, panel)

    @blueprint.get("/<path:rest>")
    def nowhere(rest: str) -> ResponseReturnValue:
        abort(404)

    @blueprint.errorhandler(BackendError)
    def expected(error: BackendError) -> ResponseReturnValue:
        if error.status >= 500:
            _log.error("panel_page_failed", error=str(error), exc_info=None if error.retry_after else error)
        answer = make_response(_failure(error.status, error.message, error.hint))
        if error.retry_after:
            answer.headers["Retry-After"] = str(error.retry_after)
        return answer

    @blueprint.errorhandler(ModelError)
    def failed(error: ModelError) -> ResponseReturnValue:
        _log.error("panel_page_failed", error=str(error), exc_info=error)
        return _failure(503 if isinstance(error, ImageBusyError) else 500, str(error), "")

    @blueprint.errorhandler(HTTPException)
    def refused(error: HTTPException) -> ResponseReturnValue:
        return _failure(error.code or 500, str(_words_for(error)), "")

    @blueprint.errorhandler(Exception)
    def unexpected(error: Exception) -> ResponseReturnValue:
        _log.error("panel_page_failed_unexpectedly", exc_info=error)
        return _failure(500, g.translator(say("This page failed; the log of the backend says why.")), "")

    return blueprint


def _failure(status: int, message: str, hint: str) -> ResponseReturnValue:
    if request.accept_mimetypes.best == "application/json":
        return {"error": message, "hint": hint}, status
    return render_template("error.html", status=status, message=message, hint=hint), status


def _words_for(error: HTTPException) -> str:
    if error.code == 404:
        return str(g.translator(say("There is no such page.")))
    if error.code == 401:
        return str(g.translator(say("Log in first.")))
    if error.code == 429:
        return str(g.translator(say("Too many wrong tokens. Wait a minute.")))
    return error.name


def _closed() -> Blueprint:
    blueprint = Blueprint("panel", __name__, url_prefix="/admin")

    @blueprint.get("/")
    @blueprint.get("/<path:rest>")
    def closed(rest: str = "") -> ResponseReturnValue:
        hint = "Set API_TOKEN to a long random value and start the backend again; `make run` makes one."
        return {"error": "The panel is closed: no API_TOKEN is set.", "hint": hint}, 503

    return blueprint
