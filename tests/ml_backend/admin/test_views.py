import re
from datetime import datetime, timedelta, timezone

import pytest
from flask import Flask

from ml_backend.admin.session import MOST_TRIES
from ml_backend.admin.views import add_panel
from ml_backend.store.panel_logouts import PanelLogouts
from tests.conftest import free_port
from tests.ml_backend.admin.conftest import TOKEN, Visitor, build_app

OVERVIEW = "/admin/projects/7/"


def test_a_stranger_is_sent_to_the_login_and_from_there_to_where_they_wanted(stranger):
    answer = stranger.get("/admin/projects/7/versions")
    assert answer.location == "/admin/login?next=/admin/projects/7/versions"
    assert stranger.log_in(next="/admin/projects/7/versions").location == "/admin/projects/7/versions"


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example", "/admin//evil", "/administrator", "x"]
)
def test_nobody_is_sent_out_of_the_panel_by_the_login(stranger, elsewhere):
    assert stranger.log_in(next=elsewhere).location == "/admin/"


def test_a_wrong_token_lets_nobody_in(stranger):
    assert stranger.log_in("another token").status_code == 401
    assert stranger.get(OVERVIEW).status_code == 302


def test_after_many_wrong_tokens_even_the_right_one_has_to_wait(stranger):
    for _ in range(MOST_TRIES):
        assert stranger.log_in("another token").status_code == 401
    answer = stranger.log_in()
    assert answer.status_code == 429
    assert "Wait a minute." in answer.text


def test_who_sends_wrong_tokens_locks_nobody_else_out(stranger):
    for _ in range(MOST_TRIES + 1):
        stranger.log_in("another token", address="192.0.2.1")
    assert stranger.log_in(address="192.0.2.1").status_code == 429
    assert stranger.log_in(address="192.0.2.2").status_code == 303


def test_right_tokens_do_not_count(stranger):
    for _ in range(MOST_TRIES + 1):
        assert stranger.log_in().status_code == 303
        stranger.http.delete_cookie("panel", path="/admin")


def test_several_processes_count_wrong_tokens_together_in_redis(panel, redis_url):
    first, second = (Visitor(build_app(panel, redis_url)) for _ in range(2))
    for visitor in [first, second] * (MOST_TRIES // 2):
        assert visitor.log_in("another token").status_code == 401
    assert [visitor.log_in().status_code for visitor in (first, second)] == [429, 429]


def test_while_redis_is_down_people_log_in_and_wrong_tokens_are_counted_all_the_same(panel):
    visitor = Visitor(build_app(panel, f"redis://127.0.0.1:{free_port()}/0"))
    assert visitor.log_in().status_code == 303
    visitor.http.delete_cookie("panel", path="/admin")
    for _ in range(MOST_TRIES):
        assert visitor.log_in("another token").status_code == 401
    assert visitor.log_in().status_code == 429


def test_the_cookie_is_for_the_panel_alone_and_for_no_script(stranger):
    cookie = stranger.log_in().headers["Set-Cookie"]
    for part in ("HttpOnly", "SameSite=Lax", "Path=/admin", "Expires="):
        assert part in cookie
    assert TOKEN not in cookie


def test_over_https_the_cookie_never_travels_without(panel):
    app = Flask("ml_backend", static_folder=None)
    add_panel(app, panel, token=TOKEN, secure=True)
    answer = app.test_client().get("/admin/login", base_url="https://localhost")
    assert "Secure" in answer.headers["Set-Cookie"]


def test_a_cookie_signed_under_another_token_is_worth_nothing(panel, visitor):
    cookie = visitor.http.get_cookie("panel", path="/admin")
    app = Flask("ml_backend", static_folder=None)
    add_panel(app, panel, token="the next token", secure=False)
    other = app.test_client()
    other.set_cookie("panel", cookie.value, path="/admin")
    assert other.get(OVERVIEW).status_code == 302


@pytest.mark.parametrize("path", ["/admin/login", "/admin/static/panel.css", OVERVIEW, "/admin/nowhere"])
def test_every_answer_forbids_scripts_styles_and_frames_of_others(visitor, path):
    headers = visitor.get(path, follow_redirects=True).headers
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "page", ["", "recommendations", "corrections", "patterns", "label-errors", "plots", "versions", "doctor"]
)
def test_no_page_needs_what_the_policy_forbids(visitor, page):
    answer = visitor.get(OVERVIEW + page)
    assert answer.status_code == 200
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script>|javascript:", answer.text)
    assert not re.search(r'(src|href)="(https?:)?//', answer.text)


@pytest.mark.parametrize("form", [{}, {"form": "made up"}])
def test_a_form_without_the_visitors_secret_does_nothing(visitor, form):
    answer = visitor.http.post(OVERVIEW + "actions/rescore", data={"key": "k" * 24} | form)
    assert answer.status_code == 400
    assert "No action was started" in visitor.get(OVERVIEW).text


def test_a_form_of_another_visitor_does_nothing(visitor, panel):
    other = Visitor(build_app(panel))
    data = {"key": "k" * 24, "form": other.secret("/admin/login")}
    assert visitor.http.post(OVERVIEW + "actions/rescore", data=data).status_code == 400


def test_a_form_that_another_site_sends_does_nothing(visitor):
    data = {"key": "k" * 24, "form": visitor.secret(OVERVIEW)}
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert visitor.http.post(OVERVIEW + "actions/rescore", data=data, headers=headers).status_code == 400


def test_logging_out_closes_the_panel(visitor):
    assert visitor.http.post("/admin/logout", data={"form": visitor.secret(OVERVIEW)}).status_code == 303
    assert visitor.get(OVERVIEW).status_code == 302


def test_the_panel_speaks_the_language_that_the_browser_asks_for_until_another_is_chosen(visitor):
    russian = {"Accept-Language": "ru,en;q=0.5"}
    assert '<html lang="ru"' in visitor.get(OVERVIEW, headers=russian).text
    form = {"form": visitor.secret(OVERVIEW), "language": "en", "next": OVERVIEW}
    assert visitor.http.post("/admin/language", data=form).location == OVERVIEW
    assert '<html lang="en"' in visitor.get(OVERVIEW, headers=russian).text


def test_colours_can_be_chosen_and_unknown_ones_are_not_kept(visitor):
    secret = visitor.secret(OVERVIEW)
    visitor.http.post("/admin/theme", data={"form": secret, "theme": "dark"})
    visitor.http.post("/admin/theme", data={"form": secret, "theme": '"><script>'})
    assert 'data-theme="dark"' in visitor.get(OVERVIEW).text


def test_without_a_token_the_panel_is_closed_and_says_how_to_open_it():
    app = Flask("ml_backend", static_folder=None)
    add_panel(app, None, token="", secure=False)
    for path in ("/admin/", "/admin/login"):
        answer = app.test_client().get(path)
        assert answer.status_code == 503
        assert "API_TOKEN" in answer.json["hint"]


def test_a_page_that_does_not_exist_is_said_in_the_panels_own_words(visitor):
    answer = visitor.get("/admin/nowhere")
    assert answer.status_code == 404
    assert "There is no such page." in answer.text


def test_a_copy_of_the_cookie_is_good_for_nothing_after_the_logout(panel, stranger):
    assert stranger.log_in().status_code == 303
    thief = Visitor(build_app(panel))
    cookie = stranger.http.get_cookie("panel", path="/admin")
    thief.http.set_cookie("panel", cookie.value, path="/admin")
    assert thief.get(OVERVIEW).status_code == 200
    assert stranger.http.post("/admin/logout", data={"form": stranger.secret(OVERVIEW)}).status_code == 303
    assert thief.get(OVERVIEW).status_code == 302
    thief.http.set_cookie("panel", cookie.value, path="/admin")
    assert thief.get(OVERVIEW).status_code == 302


def test_logging_out_ends_no_other_session(panel, visitor):
    other = Visitor(build_app(panel))
    assert other.log_in().status_code == 303
    assert other.http.post("/admin/logout", data={"form": other.secret(OVERVIEW)}).status_code == 303
    assert visitor.get(OVERVIEW).status_code == 200


def test_ended_sessions_are_kept_for_as_long_as_their_cookies_are_good(panel):
    now = [datetime(2026, 1, 1, tzinfo=timezone.utc)]
    logouts = PanelLogouts(panel.engine, timedelta(hours=12), lambda _connection: now[0])
    logouts.add("first")
    now[0] += timedelta(hours=12, seconds=1)
    logouts.add("second")
    assert (logouts.has("first"), logouts.has("second")) == (False, True)
