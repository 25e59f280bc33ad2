"""A PDF of five pages: sent, pre-labelled on each, corrected on the third, learned from, and seen in a browser."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.ui import WebDriverWait

from ml_backend.label_studio.records import Prediction
from ml_backend.store.annotations import LearningStore
from ml_backend.store.events import Store
from tests.conftest import print_card
from tests.e2e.browser import WAIT_SECONDS, logged_in
from tests.e2e.conftest import PASSWORD, USER, System, clean_environment
from tests.e2e.projects import new_title
from tests.e2e.waiting import until
from tests.paged import paged

PAGES = 5
NAMES = ("Maria Petrova", "Jonas Berger", "Elena Moreau", "Hugo Fischer", "Clara Novak")
RIGHT = "Helena Moreau"
SIZE = (800, 500)


@dataclass(frozen=True)
class Sent:
    """The task of the document, and its prediction."""

    project_id: int
    task_id: int
    folder: Path
    prediction: Prediction


def document() -> bytes:
    return paged([print_card([name, f"Sheet {n} of {PAGES}"], size=SIZE) for n, name in enumerate(NAMES, 1)], "PDF")


def run(system: System, *arguments: str, **more: object) -> str:
    """Run a command beside the system; return what it says."""
    redis = (system.run_dir / "redis" / "redis.conf").read_text()
    port = next(line.split()[1] for line in redis.splitlines() if line.startswith("port "))
    ours = {"RUN_DIR": system.run_dir, "REDIS_PORT": port, "BASIC_AUTH_USER": USER, "BASIC_AUTH_PASSWORD": PASSWORD}
    command = [sys.executable, "-m", "ml_backend", *arguments]
    done = subprocess.run(
        command, env=clean_environment(**ours | more), capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def sent(system: System, tmp_path_factory: pytest.TempPathFactory) -> Sent:
    folder = tmp_path_factory.mktemp("pages")
    (folder / "minutes.pdf").write_bytes(document())
    title = new_title("Documents")
    said = run(system, "pages", str(folder / "minutes.pdf"), "--title", title)
    assert f"{PAGES} pages" in said
    (project,) = system.client.projects(title)
    (task,) = system.client.tasks(project.id)
    found: list[Prediction] = []
    until(lambda: found.extend(system.client.predictions(task_id=task.id)) or found, "the prediction of the pages", 180)
    assert f"task {task.id} already" in run(system, "pages", str(folder / "minutes.pdf"), "--project", str(project.id))
    assert len(list(system.client.tasks(project.id))) == 1
    return Sent(project.id, task.id, folder, found[0])


def by_page(result: Sequence[Mapping[str, Any]]) -> dict[int, list[str]]:
    texts: defaultdict[int, list[str]] = defaultdict(list)
    for part in result:
        if part["type"] == "textarea":
            texts[part["item_index"]] += part["value"]["text"]
    return dict(texts)


def test_every_page_is_pre_labelled_in_its_place(system: System, sent: Sent) -> None:
    texts = by_page(sent.prediction.result)
    assert list(texts) == list(range(PAGES))
    for index, name in enumerate(NAMES):
        assert " ".join(texts[index]).split() == [*name.split(), *f"Sheet {index + 1} of {PAGES}".split()]
    assert {(part["original_width"], part["original_height"]) for part in sent.prediction.result} == {SIZE}
    urls = system.client.task(sent.task_id).data["pages"]
    assert len(urls) == len(set(urls)) == PAGES


def test_a_correction_on_the_third_page_is_kept_and_learned_from_there(system: System, sent: Sent) -> None:
    result = [dict(part) for part in sent.prediction.result]
    wrong = next(
        part["id"] for part in result if part["item_index"] == 2 and "Elena" in str(part["value"].get("text", ""))
    )
    (text,) = (part for part in result if part["id"] == wrong and part["type"] == "textarea")
    text["value"] = text["value"] | {"text": [RIGHT]}
    number = system.client.create_annotation(sent.task_id, result, parent_prediction=sent.prediction.id).id

    store = Store(f"sqlite:///{system.run_dir / 'store.sqlite3'}")
    try:
        learning = LearningStore(store.engine)
        until(lambda: learning.corrections(number), "the sync of the annotation")
        (correction,) = learning.corrections(number)
    finally:
        store.close()
    assert (correction.kind, correction.item_index, correction.text_after) == ("text", 2, RIGHT)

    run(system, "collect", str(sent.project_id), TRAINING_DATA_DIR=sent.folder / "data")
    lines = (sent.folder / "data" / str(sent.project_id) / "samples.jsonl").read_text("utf-8").splitlines()
    samples = [json.loads(line) for line in lines]
    assert [sample["item_index"] for sample in samples] == list(range(PAGES))
    read = [" ".join(block["text"] for block in sample["blocks"]).split() for sample in samples]
    assert read[2][:2] == RIGHT.split()
    assert [words[:2] for words in read[:2] + read[3:]] == [NAMES[n].split() for n in (0, 1, 3, 4)]
    assert len({sample["image"] for sample in samples}) == PAGES

    run(system, "export", str(sent.project_id), "--out", str(sent.folder / "words.txt"))
    heads = [line for line in (sent.folder / "words.txt").read_text("utf-8").splitlines() if line.startswith("# task")]
    assert [head.rpartition("\t")[2] for head in heads[1:]] == [f"page {n}" for n in range(2, PAGES + 1)]


def test_the_api_takes_a_document_with_pages(system: System, sent: Sent) -> None:
    secrets = json.loads((system.run_dir / "secrets.json").read_text())
    base, headers = f"{system.backend_url}/api/self-learning", {"Authorization": f"Bearer {secrets['api_token']}"}
    pages = [print_card([name], size=SIZE) for name in NAMES[:2]]

    def send(project_id: int) -> requests.Response:
        return requests.post(
            f"{base}/send-for-annotation/crm-{project_id}",
            params={"project_id": project_id},
            files={"image": ("scan.tif", paged(pages, "TIFF"))},
            headers=headers,
            timeout=180,
        )

    answer = send(sent.project_id)
    assert answer.status_code == 201, answer.text
    task = system.client.task(answer.json()["task_id"])
    assert len(task.data["pages"]) == 2
    assert list(by_page(task.predictions[0].result)) == [0, 1]
    name = {"block_id": "n", "text": NAMES[1], "bbox": [30, 30, 400, 90], "field": "NAME", "page": 2}
    said = requests.post(
        f"{base}/feedback/crm-{sent.project_id}",
        params={"project_id": sent.project_id},
        json={"original_blocks": [name | {"text": "Jonas Bergen"}], "corrected_blocks": [name]},
        headers=headers,
        timeout=180,
    ).json()
    assert (said["standing"], said["text_corrections"][0]["page"]) == ("training_data", 2)
    refused = send(system.project_id)
    assert refused.status_code == 400
    assert "one image a task" in refused.json()["error"]


def on_page(browser: WebDriver, page: int) -> bool:
    """Leaf to the next page unless the editor shows ``page``; return whether it does."""
    if browser.find_element(By.CSS_SELECTOR, "[class*='pagination__page-indicator']").text == f"{page} of {PAGES}":
        return True
    if page > 1:
        browser.find_element(By.CSS_SELECTOR, "[class*='pagination__btn_arrow-right']").click()
    return False


def test_the_labelling_page_shows_the_third_page_with_its_regions(system: System, sent: Sent, tmp_path: Path) -> None:
    with logged_in(system) as browser:
        browser.get(f"{system.url}/projects/{sent.project_id}/data?task={sent.task_id}")
        # The editor draws itself again while it loads; whatever was found before is looked for again.
        wait = WebDriverWait(browser, WAIT_SECONDS, ignored_exceptions=(WebDriverException,))
        for page in (1, 2, 3):
            wait.until(lambda window, page=page: on_page(window, page))
        # The canvas has no elements to wait for.
        time.sleep(2)
        picture = Path(os.environ.get("PAGES_SCREENSHOT", tmp_path / "third-page.png"))
        assert browser.save_screenshot(str(picture))
        shown = browser.execute_script(
            "const image = Htx.annotationStore.selected.objects.find(each => each.type === 'image');"
            "return [image.currentImage, image.regs.map(each => each.item_index), image.currentSrc];"
        )
    index, regions, source = shown
    assert index == 2
    assert regions
    assert set(regions) == {2}
    assert source.endswith(system.client.task(sent.task_id).data["pages"][2])
    assert picture.stat().st_size > 20_000
