"""A real browser, and one that has logged in to the Label Studio of a running system."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support import expected_conditions as expect
from selenium.webdriver.support.ui import WebDriverWait

from tests.e2e.conftest import System

WAIT_SECONDS = 120
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--window-size=1600,1000",
)


@contextmanager
def chromium_window() -> Iterator[WebDriver]:
    """A Chromium that keeps what pages log."""
    chromium, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    assert chromium, "install chromium"
    assert driver, "install chromium-driver"
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    window = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        window.set_page_load_timeout(WAIT_SECONDS)
        window.set_script_timeout(WAIT_SECONDS)
        yield window
    finally:
        window.quit()


@contextmanager
def logged_in(system: System) -> Iterator[WebDriver]:
    """A Chromium that has logged in to Label Studio."""
    with chromium_window() as window:
        window.get(f"{system.url}/user/login/")
        window.find_element(By.NAME, "email").send_keys(system.email)
        window.find_element(By.NAME, "password").send_keys(system.password)
        window.find_element(By.CSS_SELECTOR, "button[type=submit]").click()
        WebDriverWait(window, WAIT_SECONDS).until_not(expect.url_contains("/user/login"))
        yield window
