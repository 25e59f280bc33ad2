"""How does the panel look? Photographs every page of a running system, to be looked at by a person.

    python benchmarks/panel_pictures.py --url http://127.0.0.1:9090 --token-file .run/secrets.json --out pictures

Light and dark, on a desk and on a phone, in English and Russian; ``--only`` names pages, ``--project`` the project. It
needs Chromium and ChromeDriver.
"""

from __future__ import annotations

import argparse
import base64
import json
import shutil
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver

PAGES = ("overview", "recommendations", "corrections", "patterns", "label-errors", "plots", "versions", "doctor")
SIZES = {"desk": (1280, 900, False), "phone": (390, 844, True)}
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking")
FLAGS += ("--disable-component-update", "--hide-scrollbars")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="address of the backend")
    parser.add_argument("--token-file", type=Path, required=True, help="secrets.json of its RUN_DIR")
    parser.add_argument("--project", type=int, help="number of the project; the first one by default")
    parser.add_argument("--out", type=Path, required=True, help="folder of the pictures")
    parser.add_argument("--only", nargs="*", default=list(PAGES), choices=PAGES, help="pages")
    parser.add_argument("--languages", nargs="*", default=["en", "ru"])
    parser.add_argument("--themes", nargs="*", default=["light", "dark"])
    parser.add_argument("--sizes", nargs="*", default=list(SIZES), choices=list(SIZES))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    window = browser()
    try:
        log_in(window, arguments.url, json.loads(arguments.token_file.read_text(encoding="utf-8"))["api_token"])
        home = f"{arguments.url}/admin/projects/{arguments.project}/" if arguments.project else window.current_url
        for name in pictures(window, home, arguments):
            print(name)
    finally:
        window.quit()
    return 0


def browser() -> WebDriver:
    """Start Chromium."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or "chromium"
    for flag in FLAGS:
        options.add_argument(flag)
    window = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    window.set_page_load_timeout(180)
    return window


def log_in(window: WebDriver, url: str, token: str) -> None:
    """Log in; the browser is at the first project's overview afterwards."""
    window.get(f"{url}/admin/")
    window.find_element(By.NAME, "token").send_keys(token)
    window.find_element(By.CSS_SELECTOR, "main button").click()


def pictures(window: WebDriver, home: str, wanted: argparse.Namespace) -> Iterator[str]:
    """Photograph the pages from top to bottom; give each file's name."""
    for language, theme, size in product(wanted.languages, wanted.themes, wanted.sizes):
        for name, value in (("panel-language", language), ("panel-theme", theme)):
            window.add_cookie({"name": name, "value": value, "path": "/admin"})
        width, height, mobile = SIZES[size]
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
        window.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        for page in wanted.only:
            window.get(home + ("" if page == "overview" else page))
            if page == "doctor":
                window.find_element(By.CSS_SELECTOR, "main form button").click()
            # Images that are loaded only when they come into view.
            window.execute_script("document.querySelectorAll('img').forEach(each => { each.loading = 'eager' })")
            window.execute_async_script(
                "Promise.all([...document.images].map(each => each.decode().catch(() => 0)))"
                ".then(arguments[arguments.length - 1])"
            )
            shot = window.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "format": "png"})
            name = f"{page}-{language}-{theme}-{size}.png"
            (wanted.out / name).write_bytes(base64.b64decode(shot["data"]))
            yield name


if __name__ == "__main__":
    sys.exit(main())
