"""The panel in a real browser, from the login to a version that serves and one that is gone back to."""

import json
import re
from collections.abc import Iterator
from importlib.resources import files

import pytest
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.ui import WebDriverWait

from tests.conftest import print_card
from tests.e2e.browser import WAIT_SECONDS, chromium_window
from tests.e2e.conftest import System
from tests.e2e.projects import a_region, new_project, printed_cards

#: A run with few documents spends its whole budget, and waits for those of other tests.
RUN_SECONDS = 600
PAGES = ("", "recommendations", "corrections", "patterns", "label-errors", "plots", "versions", "doctor")


class Person:
    """Somebody before the panel.

    Args:
        window: The browser.
        home: Address of the project's pages.
    """

    def __init__(self, window: WebDriver, home: str) -> None:
        self.window = window
        self.home = home

    def open(self, page: str = "") -> None:
        self.window.get(self.home + page)

    def text(self) -> str:
        # In one step, because pages look again by themselves.
        return str(self.window.execute_script("return document.querySelector('main')?.innerText ?? ''"))

    def press(self, name: str, *, number: int = 0) -> str:
        """Press a button, wait for what comes of it, and return it."""
        # The page before may show the outcome of another button: it is marked, and passed over.
        self.window.execute_script("window.isBefore = true")
        forms = self.window.find_elements(By.CSS_SELECTOR, f"form[action$='/actions/{name}'] button")
        forms[number].click()
        found: list[tuple[str, str]] = []
        self.until(lambda: found.extend(self._outcome()) or found)
        assert "done" in found[0][0], found[0][1]
        return found[0][1]

    def _outcome(self) -> list[tuple[str, str]]:
        """Return class and text of what a button did; in one step, because pages look again by themselves."""
        found = self.window.execute_script(
            "const it = window.isBefore ? null : document.querySelector('#outcome.done, #outcome.failed');"
            "return it && [it.className, it.innerText]"
        )
        return [(str(found[0]), str(found[1]))] if found else []

    def until(self, done: object, seconds: float = WAIT_SECONDS) -> None:
        assert callable(done)
        wait = WebDriverWait(self.window, seconds, ignored_exceptions=(StaleElementReferenceException,))
        wait.until(lambda _: done())


@pytest.fixture(scope="module")
def token(system: System) -> str:
    return str(json.loads((system.run_dir / "secrets.json").read_text())["api_token"])


@pytest.fixture(scope="module")
def window() -> Iterator[WebDriver]:
    with chromium_window() as window:
        yield window


@pytest.fixture(scope="module")
def person(system: System, token: str, window: WebDriver, tmp_path_factory: pytest.TempPathFactory) -> Person:
    """Somebody who has logged in, before a project with three cards that nothing is connected to yet."""
    project_id = new_project(system.client)
    folder = tmp_path_factory.mktemp("cards")
    # One without a name, a number or an address: nobody would take it for a business card.
    print_card(["Northwind"]).save(folder / "bare.png")
    system.client.upload_files(project_id, [*printed_cards(folder, 2), folder / "bare.png"])
    person = Person(window, f"{system.backend_url}/admin/projects/{project_id}/")
    person.open()
    assert "/admin/login" in window.current_url
    window.find_element(By.NAME, "token").send_keys(token)
    window.find_element(By.CSS_SELECTOR, "main button").click()
    person.until(lambda: window.current_url == person.home)
    return person


def project_of(person: Person) -> int:
    found = re.search(r"/projects/(\d+)/", person.home)
    assert found
    return int(found[1])


def test_a_project_goes_from_nothing_to_a_version_and_back_by_buttons(system: System, person: Person) -> None:
    client, project_id = system.client, project_of(person)

    done = person.press("initialise")
    assert "Connected the backend." in done
    assert "Pre-labelled 3 of 3 documents." in done
    assert "nothing was changed" in person.press("initialise")

    person.open("recommendations")
    cards = person.window.find_elements(By.CSS_SELECTOR, ".recommended > li")
    assert cards, person.text()
    picture = cards[-1].find_element(By.TAG_NAME, "img")
    person.window.execute_script("arguments[0].scrollIntoView()", picture)
    person.until(lambda: int(str(picture.get_property("naturalWidth"))) > 100)
    assert cards[-1].find_elements(By.CSS_SELECTOR, "ul li"), "a reason"
    said = person.press("send", number=len(cards) - 1)
    sent = re.search(r"Task (\d+)", said)
    assert sent
    first = client.next_task(project_id)
    assert first is not None
    assert first.id == int(sent[1])

    for task in client.tasks(project_id):
        (made,) = client.predictions(task_id=task.id)
        client.create_annotation(
            task.id, [*made.result, *a_region("Field Eng1neer", "POSITION")], parent_prediction=made.id
        )

    person.open()
    # The webhook may have been quicker: then nothing is new.
    assert "annotations are new or changed" in person.press("sync")
    person.open("corrections")
    assert "Field Eng1neer" in person.text()

    person.open("label-errors")
    # With so few documents there is nothing to compare with: what counts is that the worker answers.
    assert "No label is in doubt." in person.press("label_errors")

    person.open()
    person.press("train")
    bar = person.window.find_element(By.CSS_SELECTOR, "[data-progress]")
    assert bar.is_displayed()
    # The page looks again by itself; nobody presses anything.
    person.until(lambda: "finished" in person.text(), RUN_SECONDS)

    person.open("versions")
    assert "Version 1 serves now" in person.press("promote")
    assert "The weights that ship serve again" in person.press("rollback")


def test_no_page_has_a_serious_finding_of_axe_or_breaks_its_own_policy(person: Person) -> None:
    axe = (files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")
    for page in PAGES:
        person.open(page)
        person.window.execute_script(axe)
        found = person.window.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
        serious = [item["id"] for item in found["violations"] if item["impact"] in ("serious", "critical")]
        assert not serious, (page, found["violations"])
    assert not [entry for entry in person.window.get_log("browser") if entry["level"] == "SEVERE"]


def test_no_page_is_wider_than_a_phone(person: Person) -> None:
    window = person.window
    window.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    )
    try:
        for page in PAGES:
            person.open(page)
            assert window.execute_script("return document.documentElement.scrollWidth") <= 390, page
    finally:
        window.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
