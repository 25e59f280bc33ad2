"""The log: one line an event, libraries included."""

import json
import logging

import pytest
import structlog

from ml_backend.observability.logs import configure_logging, get_logger


@pytest.fixture(autouse=True)
def _restored():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_own_and_foreign_lines_are_json_with_the_request_they_belong_to(capsys):
    configure_logging("INFO", "json")
    structlog.contextvars.bind_contextvars(request="abc")
    get_logger("own").info("task_scored", task=7)
    logging.getLogger("library").warning("%s is slow", "disk")
    own, foreign = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (own["event"], own["task"], own["level"], own["request"]) == ("task_scored", 7, "info", "abc")
    assert (foreign["event"], foreign["logger"], foreign["request"]) == ("disk is slow", "library", "abc")


def test_what_is_below_the_level_is_not_shown(capsys):
    configure_logging("WARNING")
    get_logger("own").info("quiet")
    logging.getLogger("urllib3").info("chatty")
    get_logger("own").warning("loud")
    shown = capsys.readouterr().err
    assert "loud" in shown
    assert "quiet" not in shown
    assert "chatty" not in shown


@pytest.mark.parametrize("style", ["console", "json"])
def test_a_traceback_shows_where_and_not_the_local_variables(capsys, style):
    configure_logging("INFO", style)
    content = "words of the " + "document"
    try:
        content[len(content)]
    except IndexError:
        get_logger("own").exception("failed")
    shown = capsys.readouterr().err
    assert "test_logs.py" in shown
    assert "words of the document" not in shown


def test_configuring_again_does_not_double_the_lines(capsys):
    configure_logging("INFO")
    configure_logging("INFO")
    get_logger("own").info("once")
    assert capsys.readouterr().err.count("once") == 1
