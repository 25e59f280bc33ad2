"""The parts of the setup that need no Label Studio; tests/e2e has the rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_backend.projects.setup import BackendAddress, ProjectPlan, SetupReport, _file_name

NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_.", min_size=1).filter(lambda name: "-" not in name[8:9])


@given(number=st.integers(1, 10**6), digits=st.text("0123456789abcdef", min_size=8, max_size=8), name=NAMES)
def test_name_of_an_uploaded_file_is_found_again(number: int, digits: str, name: str) -> None:
    assert _file_name(f"/data/upload/{number}/{digits}-{name}") == name
    assert _file_name(f"https://example.com/prefix/data/upload/{number}/{digits}-{name}?x=1-2") == name


@pytest.mark.parametrize(("value", "name"), [("/a/card-01.jpg", "card-01.jpg"), (None, ""), (["x"], ""), ("", "")])
def test_other_values_of_a_task_are_no_uploads(value: object, name: str) -> None:
    assert _file_name(value) == name


@pytest.mark.parametrize("url", ["http://127.0.0.1:9090", "http://127.0.0.1:9090/"])
def test_webhook_address_is_the_one_that_label_studio_chooses_itself(url: str) -> None:
    assert BackendAddress(url).webhook_url == "http://127.0.0.1:9090/webhook"


@pytest.mark.parametrize(
    ("waiting", "said"),
    [
        (0, "Every open task has its prediction."),
        (72, "72 open tasks get their predictions in the background, in about 1 minutes."),
        (10_000, "10000 open tasks get their predictions in the background, in about 167 minutes."),
    ],
)
def test_whoever_connects_hears_what_becomes_of_the_other_tasks(waiting: int, said: str) -> None:
    assert str(SetupReport(1, "v1", waiting + 8, 8, (), waiting).said_of_waiting()) == said


def test_secrets_do_not_show() -> None:
    shown = repr(BackendAddress("http://backend", user="user", password="hidden-1", webhook_secret="hidden-2"))
    assert "hidden" not in shown


def test_plan_brings_no_images_unless_told() -> None:
    assert ProjectPlan("Title", "<View/>").images == ()
