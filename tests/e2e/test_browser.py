"""What a person sees: the labelling page of a demonstration card, in a real browser."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support import expected_conditions as expect
from selenium.webdriver.support.ui import WebDriverWait

from tests.e2e.conftest import System

WAIT_SECONDS = 60
REGION = "[class*='outliner-item'][class*='textarea'], [class*='tree-node'], [role='treeitem']"
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--window-size=1600,1000",
)


@pytest.fixture(scope="module")
def browser(system: System) -> Iterator[WebDriver]:
    """A Chromium that has logged in to Label Studio."""
    chromium, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    assert chromium, "install chromium"
    assert driver, "install chromium-driver"
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in FLAGS:
        options.add_argument(flag)
    window = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        window.set_page_load_timeout(WAIT_SECONDS)
        window.get(f"{system.url}/user/login/")
        window.find_element(By.NAME, "email").send_keys(system.email)
        window.find_element(By.NAME, "password").send_keys(system.password)
        window.find_element(By.CSS_SELECTOR, "button[type=submit]").click()
        WebDriverWait(window, WAIT_SECONDS).until_not(expect.url_contains("/user/login"))
        yield window
    finally:
        window.quit()


def test_labelling_page_lists_the_regions_of_a_demonstration_card_with_text_and_field(
    system: System, browser: WebDriver, tmp_path: Path
) -> None:
    surest = max(system.client.predictions(project_id=system.project_id), key=lambda item: item.score or 0)
    texts = [part["value"]["text"][0] for part in surest.result if part["type"] == "textarea"]
    labels = {part["value"]["labels"][0] for part in surest.result if part["type"] == "labels"}

    browser.get(f"{system.url}/projects/{system.project_id}/data?task={surest.task}")
    WebDriverWait(browser, WAIT_SECONDS).until(
        lambda window: len(window.find_elements(By.CSS_SELECTOR, REGION)) >= len(texts),
        f"fewer than {len(texts)} regions are listed",
    )

    regions = [region.text for region in browser.find_elements(By.CSS_SELECTOR, REGION)]
    assert [text for text in texts if not any(text in region for region in regions)] == []
    assert labels
    assert [label for label in labels if not any(label in region for region in regions)] == []
    picture = Path(os.environ.get("SCREENSHOT", tmp_path / "prelabelled-card.png"))
    assert browser.save_screenshot(str(picture))
    assert picture.stat().st_size > 20_000
