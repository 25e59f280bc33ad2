"""One element a task, in order, each task on its own, within the time."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from structlog.contextvars import bound_contextvars, merge_contextvars
from structlog.testing import capture_logs

from ml_backend.errors import ImageRefusedError
from ml_backend.label_studio.records import Task
from ml_backend.observability.logs import get_logger
from ml_backend.predict.prefetch import FETCH_AHEAD
from ml_backend.predict.service import Batch
from ml_backend.store.events import Store
from model.document.types import Box, Document, Line, Page, PageNote, Word
from model.errors import EngineError, ImageError
from model.pipeline import Pipeline
from tests.conftest import card_png
from tests.ml_backend.backend import RECTANGLES, ImageTable, SteppingClock, build_backend


class TextReader:
    """Reads plain text: ``engine`` fails, ``image`` is broken, ``bug`` has one, ``slow`` takes 30 s."""

    version = "text.1"

    def __init__(self, clock=None):
        self.clock = clock

    def predict(self, data):
        text = data.decode()
        if text == "engine":
            raise EngineError("The engine failed.")
        if text == "image":
            raise ImageError("The image file is broken.")
        if text == "bug":
            raise ZeroDivisionError("a secret of the document")
        if text.startswith("slow"):
            self.clock.advance(30)
        box = Box(10, 10, 90, 30)
        line = Line(text, box.polygon(), 0.9, (Word(text, box, 0.9),))
        notes = (PageNote("unknown_script", 3),) if text == "c" else ()
        return Document(Page(100, 50, (line,), notes=notes), (), 0.5, "text", self.version)


@pytest.fixture
def clock():
    return SteppingClock()


@pytest.fixture
def backend(make_settings, clock):
    images = ImageTable(
        **{
            name: name.encode()
            for name in ("a", "b", "c", "engine", "image", "bug", "slow1", "slow2", "slow3", "slow4")
        },
        refused=ImageRefusedError("Images are not read from there."),
        odd=RuntimeError("unforeseen"),
    )
    return build_backend(make_settings(predict_budget_seconds=80), TextReader(clock), None, images, clock=clock)


def predict(backend, *urls, project_id=2):
    tasks = [Task(number, 2, {"image": url}, False) if url else None for number, url in enumerate(urls, start=1)]
    return backend.services.predictions.predict(Batch(tasks, RECTANGLES, project_id))[0]


def texts(answers):
    return [answer["result"][-1]["value"]["text"][0] if answer else None for answer in answers]


def test_every_task_gets_its_own_prediction_in_order(backend):
    answers = predict(backend, "c", "a", "b", "a")
    assert texts(answers) == ["c", "a", "b", "a"]
    assert {answer["model_version"] for answer in answers} == {"text.1"}
    assert backend.queue.jobs == []


def test_what_is_to_be_said_of_a_page_is_in_the_log(backend):
    with capture_logs() as logs:
        predict(backend, "a", "c")
    (note,) = [entry for entry in logs if entry["event"] == "page_note"]
    assert (note["task"], note["kind"]) == (2, "unknown_script")
    assert "cannot be read: 3." in note["note"]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("engine", "engine"),
        ("image", "image"),
        ("missing", "image_fetch"),
        ("refused", "image_refused"),
        ("bug", "unexpected"),
        ("odd", "unexpected"),
    ],
)
def test_a_task_that_fails_is_empty_counted_and_left_to_the_background(backend, url, reason):
    assert texts(predict(backend, "a", url, "b")) == ["a", None, "b"]
    assert backend.queue.jobs == [(2, 2)]
    assert backend.metric(f'ml_backend_predictions_total{{outcome="empty",reason="{reason}"}}') == 1
    assert backend.metric('ml_backend_predictions_total{outcome="predicted",reason=""}') == 2


def test_a_task_without_an_image_is_empty(backend):
    answers, _ = backend.services.predictions.predict(Batch([Task(7, 2, {"text": "no image"}, False)], RECTANGLES, 2))
    assert answers == [[]]
    assert backend.metric('ml_backend_predictions_total{outcome="empty",reason="no_image"}') == 1


def test_a_task_that_nobody_understands_keeps_its_place_and_is_not_queued(backend):
    assert texts(predict(backend, "a", None, "b")) == ["a", None, "b"]
    assert backend.queue.jobs == []
    assert backend.metric('ml_backend_predictions_total{outcome="empty",reason="task"}') == 1


def test_a_configuration_without_a_place_for_text_gives_empty_lists(backend):
    service = backend.services.predictions
    tasks = [Task(1, 2, {"image": "a"}, False), Task(2, 2, {"image": "b"}, False)]
    assert service.predict(Batch(tasks, "<View/>", 2)) == ([[], []], "text.1")
    assert backend.images.asked == []
    assert backend.queue.jobs == []
    assert backend.metric('ml_backend_predictions_total{outcome="empty",reason="label_config"}') == 2


def test_what_does_not_fit_into_the_budget_is_left_to_the_background(backend, clock):
    # 30 s each: a third one would end at 90 s, beyond the 80.
    answers = predict(backend, "slow1", "slow2", "slow3", "slow4", "a")
    assert texts(answers) == ["slow1", "slow2", None, None, None]
    assert clock.now == 60
    assert backend.queue.jobs == [(2, 3), (2, 4), (2, 5)]
    assert backend.metric('ml_backend_predictions_total{outcome="empty",reason="budget"}') == 3


def test_an_image_that_does_not_come_in_time_costs_its_own_task_only(make_settings):
    hold = threading.Event()
    images = ImageTable(a=b"a", never=lambda: hold.wait(30) and b"")
    backend = build_backend(make_settings(predict_budget_seconds=0.5), TextReader(), None, images)
    try:
        assert texts(predict(backend, "a", "never", "a")) == ["a", None, None]
    finally:
        hold.set()


def test_only_a_few_images_are_fetched_ahead(make_settings):
    started, hold = threading.Semaphore(0), threading.Event()

    def first():
        started.release()
        hold.wait(30)
        return b"a"

    images = ImageTable(first=first, a=b"a")
    backend = build_backend(make_settings(), TextReader(), None, images)
    with ThreadPoolExecutor(1) as pool:
        answers = pool.submit(predict, backend, "first", *["a"] * 20)
        assert started.acquire(timeout=30)
        # The others that may be fetched ahead are quick; no more may follow while the first is held.
        for _ in range(3):
            threading.Event().wait(0.05)
        assert len(images.asked) <= FETCH_AHEAD
        hold.set()
        assert len(answers.result(30)) == 21
    assert len(images.asked) == 21


def test_a_queue_that_is_down_costs_no_prediction(backend):
    backend.queue.down = True
    assert texts(predict(backend, "a", "missing")) == ["a", None]
    assert backend.metric("ml_backend_queue_failures_total") == 1
    assert backend.metric("ml_backend_queued_tasks_total") == 0


@pytest.mark.parametrize("project_id", [None])
def test_without_a_project_there_is_nothing_to_queue(backend, project_id):
    assert texts(predict(backend, "missing", project_id=project_id)) == [None]
    assert backend.queue.jobs == []


def test_an_empty_batch_has_an_empty_answer(backend):
    assert predict(backend) == []


def test_the_log_says_why_without_what_the_document_says(backend):
    backend.images.images["Sesame"] = b"Sesame"
    with capture_logs() as entries:
        assert texts(predict(backend, "Sesame", "missing", "image")) == ["Sesame", None, None]
    reasons = [entry["reason"] for entry in entries if entry["event"] == "task_without_prediction"]
    assert reasons == ["image_fetch", "image"]
    assert "Sesame" not in str(entries)


def test_lines_of_the_threads_that_fetch_name_the_request_too(make_settings):
    def fetch():
        get_logger("library").info("fetching")
        return b"a"

    backend = build_backend(make_settings(), TextReader(), None, ImageTable(a=fetch))
    with bound_contextvars(request="r-1"), capture_logs(processors=[merge_contextvars]) as entries:
        assert texts(predict(backend, "a", "a")) == ["a", "a"]
    assert [entry["request"] for entry in entries if entry["event"] == "fetching"] == ["r-1", "r-1"]


@pytest.fixture(scope="module")
def cards():
    return {
        f"card{number}": card_png(f"Person {number}", f"p{number}@firm.com", size=(360, 160), text_size=26)
        for number in range(6)
    }


def pipeline_of(ocr_engine, tiny_extractor, cache=None):
    return Pipeline(ocr_engine, tiny_extractor, max_image_bytes=10**7, max_image_pixels=10**7, cache=cache)


def predict_at_once(backend, urls):
    barrier = threading.Barrier(len(urls))

    def call(url):
        barrier.wait(60)
        return predict(backend, url)

    with ThreadPoolExecutor(len(urls)) as pool:
        return list(pool.map(call, urls))


def test_concurrent_calls_give_what_single_ones_give(make_settings, ocr_engine, tiny_extractor, cards):
    reader = pipeline_of(ocr_engine, tiny_extractor)
    backend = build_backend(make_settings(), reader, ocr_engine, ImageTable(**cards))
    single = [predict(backend, url) for url in cards]
    assert len({str(answer) for answer in single}) == len(cards)
    assert all(answer[0]["result"] for answer in single)
    assert predict_at_once(backend, list(cards)) == single


def test_fifty_concurrent_calls_give_what_single_ones_give_out_of_the_cache(
    make_settings, ocr_engine, tiny_extractor, cards
):
    settings = make_settings()
    reader = pipeline_of(ocr_engine, tiny_extractor, cache=Store(settings.store_url))
    backend = build_backend(settings, reader, ocr_engine, ImageTable(**cards))
    single = {url: predict(backend, url) for url in cards}
    urls = [f"card{number % len(cards)}" for number in range(50)]
    assert predict_at_once(backend, urls) == [single[url] for url in urls]
