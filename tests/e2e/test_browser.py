"""What a person sees: the labelling page of a demonstration card, in a real browser."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.ui import WebDriverWait

from tests.e2e.browser import WAIT_SECONDS, logged_in
from tests.e2e.conftest import System

LIST, TEXT, LABEL = ".lsf-tree-list-holder", "[data-testid='textarea-region-textarea']", ".lsf-outliner-item__title"


@pytest.fixture(scope="module")
def browser(system: System) -> Iterator[WebDriver]:
    with logged_in(system) as window:
        yield window


def listed_regions(browser: WebDriver) -> tuple[set[str], set[str]]:
    """Texts and labels of the list of regions, which holds only what is in view: so it is scrolled to its end."""
    texts: set[str] = set()
    labels: set[str] = set()
    # The editor draws the list again while it loads; whatever was found in the old one is looked for again.
    patient = WebDriverWait(browser, WAIT_SECONDS, ignored_exceptions=(StaleElementReferenceException,))
    for step in range(100):

        def look(window: WebDriver, place: int = 100 * step) -> tuple[bool]:
            listing = window.find_element(By.CSS_SELECTOR, LIST)
            window.execute_script("arguments[0].scrollTop = arguments[1]", listing, place)
            time.sleep(0.1)
            texts.update(area.get_attribute("value") or "" for area in window.find_elements(By.CSS_SELECTOR, TEXT))
            labels.update(title.text for title in window.find_elements(By.CSS_SELECTOR, LABEL))
            top, view, whole = (listing.get_property(name) for name in ("scrollTop", "clientHeight", "scrollHeight"))
            return (top + view >= whole,)

        if patient.until(look)[0]:
            break
    browser.execute_script("arguments[0].scrollTop = 0", browser.find_element(By.CSS_SELECTOR, LIST))
    return texts, labels


def test_labelling_page_lists_the_regions_of_a_demonstration_card_with_text_and_field(
    system: System, browser: WebDriver, tmp_path: Path
) -> None:
    surest = max(system.client.predictions(project_id=system.project_id), key=lambda item: item.score or 0)
    texts = [part["value"]["text"][0] for part in surest.result if part["type"] == "textarea"]
    labels = {part["value"]["labels"][0] for part in surest.result if part["type"] == "labels"}

    browser.get(f"{system.url}/projects/{system.project_id}/data?task={surest.task}")
    WebDriverWait(browser, WAIT_SECONDS).until(lambda window: window.find_elements(By.CSS_SELECTOR, TEXT))

    shown_texts, shown_labels = listed_regions(browser)
    assert set(texts) <= shown_texts
    assert labels
    assert labels <= shown_labels
    picture = Path(os.environ.get("SCREENSHOT", tmp_path / "prelabelled-card.png"))
    assert browser.save_screenshot(str(picture))
    assert picture.stat().st_size > 20_000
