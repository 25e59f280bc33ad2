"""What a library raises does not leave the room that called it: only the project's own errors do."""

import inspect
import io
import pkgutil
import random
import shutil
from importlib import import_module
from pathlib import Path

import pytest
from PIL import Image
from redis import Redis
from sqlalchemy import create_engine, text

import ml_backend.store
from ml_backend.jobs.job_counts import JobTally
from ml_backend.jobs.leases import Chunks
from ml_backend.jobs.queue import JobQueue, QueueError
from ml_backend.jobs.queue_metrics import QueueMetrics
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.images import ImageSource
from ml_backend.label_studio.session import READ, Session
from ml_backend.label_studio.uploads import create_task, find_task, upload
from ml_backend.learn.sample_images import SampleImages
from ml_backend.store.annotations import LearningStore
from ml_backend.store.engine import StoreError, open_engine
from ml_backend.store.events import Store
from ml_backend.store.tables import Base
from model.document.images import load_image
from model.document.types import Box
from model.extraction.extractor import Extractor
from model.ocr import build_engine
from model.ocr.files import find_models
from model.registry.tracking import TrackedRun, Tracking
from model.registry.versions import Registry
from tests.calls import public_calls
from tests.conftest import free_port
from tests.ml_backend.label_studio.local_server import Answer, as_json, running
from tests.model.extraction.checkpoints import save_checkpoint, tiny_model
from tests.test_errors import error_classes

# The store: SQLAlchemy and its drivers


def repositories():
    """Return every class of the store that is made of an engine."""
    names = [found.name for found in pkgutil.iter_modules(ml_backend.store.__path__, "ml_backend.store.")]
    return {
        value
        for name in names
        for value in vars(import_module(name)).values()
        if inspect.isclass(value)
        and value.__module__ == name
        and "engine" in inspect.signature(value.__init__).parameters
    }


def without_tables(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path / 'store.sqlite3'}")
    with engine.begin() as connection:
        for table in Base.metadata.sorted_tables:
            connection.execute(text(f'DROP TABLE "{table.name}"'))
    return engine


def unreachable(tmp_path):
    return create_engine(f"postgresql+psycopg://nobody:x@127.0.0.1:{free_port()}/store")


def test_an_event_store_that_has_lost_its_tables_says_so_and_its_cache_has_nothing(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'store.sqlite3'}")
    with store.engine.begin() as connection:
        for table in Base.metadata.sorted_tables:
            connection.execute(text(f'DROP TABLE "{table.name}"'))
    said = asked_of(store, {Box: Box(0, 0, 1, 1)})
    store.close()
    assert {name for name, what in said.items() if what == "nothing"} == {"check", "get", "put"}
    assert set(said.values()) == {"nothing", "StoreError"}


@pytest.mark.parametrize("broken", [without_tables, unreachable])
def test_whatever_is_asked_of_a_broken_store_only_its_own_error_comes_out(broken, tmp_path):
    engine = broken(tmp_path)
    said = {}
    for repository in sorted(repositories(), key=lambda each: each.__name__):
        more = {"learning": LearningStore(engine)} if "learning" in inspect.signature(repository).parameters else {}
        for name, call in public_calls(repository(engine, **more)).items():
            said[f"{repository.__name__}.{name}"] = _said_by(call)
    engine.dispose()
    assert len(said) > 80
    assert {name: what for name, what in said.items() if what != StoreError.__name__} == {}


# Jobs: Redis, RQ


def down(redis_url):
    return JobQueue.at(f"redis://127.0.0.1:{free_port()}/0")


def refusing(redis_url):
    """A Redis whose user may do nothing."""
    with Redis.from_url(redis_url) as connection:
        connection.acl_setuser("nobody", enabled=True, passwords=["+secret"], commands=["-@all"], keys=["*"])
    return JobQueue.at(redis_url.replace("redis://", "redis://nobody:secret@"))


def with_other_contents(redis_url):
    """A Redis in which every key that is looked at holds a value of another kind."""
    with Redis.from_url(redis_url) as connection:
        for queue in ("scoring", "sync", "rescoring", "training"):
            connection.set(f"rq:queue:{queue}", "1")
        for name in ("rq:workers:rescoring", "rescoring:begun:1", "rescoring:1:1"):
            connection.set(name, "x")
    return JobQueue.at(redis_url)


@pytest.mark.parametrize("broken", [down, refusing, with_other_contents])
def test_whatever_is_asked_of_a_broken_redis_only_our_error_comes_out(broken, redis_url):
    queue = broken(redis_url)
    said = {
        f"{type(target).__name__}.{name}": _said_by(call)
        for target in (queue, Chunks(queue), QueueMetrics(queue), JobTally(queue.connection))
        for name, call in public_calls(target, {"chunk": "v1-1-0-1"}).items()
    }
    queue.connection.close()
    assert set(said.values()) <= {"QueueError", "nothing"}
    if broken is not with_other_contents:
        silent = {name for name, what in said.items() if what == "nothing"}
        assert silent <= {"JobTally.count", "QueueMetrics.collect", "QueueMetrics.describe", "Chunks.ended"}


def test_an_address_that_is_none_is_an_error_of_the_queue():
    with pytest.raises(QueueError):
        JobQueue.at("nonsense")


# Label Studio: its SDK, httpx, httpcore, and whatever answers in its place


def one_answer(answer):
    """Return a server that answers everything alike."""

    class Always(dict):
        def get(self, key, default=None):
            return answer

    return Always()


ANSWERS = {
    "nothing": Answer(200),
    "a page": Answer(200, b"<html>hello</html>", {"Content-Type": "text/html"}),
    "an error": Answer(502, b"<html>bad gateway</html>", {"Content-Type": "text/html"}),
    "a refusal": as_json({"detail": "no"}, 403),
    "half of it": Answer(200, b'[{"id": 1', {"Connection": "close"}, announce=1000),
    "no utf-8": Answer(200, b'{"id": "\xff\xfe"}', {"Content-Type": "application/json"}),
    "compressed rubbish": Answer(200, b"rubbish", {"Content-Encoding": "gzip", "Content-Type": "application/json"}),
    "a redirect": Answer(302, b"", {"Location": "http://["}),
    **{f"JSON {value}": as_json(value) for value in (None, "text", [], {}, [1], [{}], {"results": 1})},
    "JSON of a list in a page": as_json({"results": [1], "tasks": [1], "total": "x", "count": "x", "next": 1}),
    "JSON of dicts in a page": as_json({"results": [{}], "tasks": [{}], "total": None, "id": "x", "task_ids": 1}),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_whatever_answers_in_label_studios_place_only_our_errors_come_out(answer, tmp_path, monkeypatch):
    monkeypatch.setitem(READ, "max_retries", 0)
    (tmp_path / "card.png").write_bytes(b"1")
    given = {Path: tmp_path / "card.png", str: "1"}
    with running() as server:
        server.routes = one_answer(answer)
        client = LabelStudio(server.url, "legacy-token", timeout=3)
        said = asked_of(client, given)
        said |= {
            "upload": _said_by(lambda: upload(client, 1, b"1")),
            "create_task": _said_by(lambda: create_task(client, 1, {})),
            "find_task": _said_by(lambda: find_task(client, 1, "a", "1")),
        }
        client.close()
    assert {name: what for name, what in said.items() if what not in ALLOWED} == {}


def test_whatever_is_asked_of_a_label_studio_that_is_down_it_is_unreachable(tmp_path, monkeypatch):
    monkeypatch.setitem(READ, "max_retries", 0)
    (tmp_path / "card.png").write_bytes(b"1")
    client = LabelStudio(f"http://127.0.0.1:{free_port()}", "legacy-token", timeout=3)
    said = asked_of(client, {Path: tmp_path / "card.png"})
    client.close()
    assert set(said.values()) == {"LabelStudioUnreachableError"}


ODD_ADDRESSES = [
    "http://[",
    "http://HOST/\udcff",
    "http://HOST/ü?q=ä#é",
    "http://HOST/a b\nc",
    "http://HOST/\0",
    "http://HOST/%zz",
    "http://HOST\\@evil/",
    "http://user:pa ss@HOST/",
    "http://HOST:99999/",
    "http://127.0.0.1:x/",
    "http://exa mple/",
    "http://" + "a" * 300 + "/",
    "http://\u2100.example/",
    "https://HOST/",
    "data:image/png;base64,@@@",
    "data:,",
    "s3://bucket/\udcff",
    "//HOST/x",
    "/data/upload/\udcff.png",
    "",
    " ",
    "\0",
]


@pytest.mark.parametrize("answer", [*ANSWERS.values(), None], ids=[*ANSWERS, "down"])
def test_whatever_a_task_names_and_whatever_answers_an_image_is_fetched_or_refused(answer, monkeypatch):
    monkeypatch.setitem(READ, "max_retries", 0)
    with running() as server:
        server.routes = one_answer(answer or Answer())
        host = server.host if answer is not None else f"127.0.0.1:{free_port()}"
        hosts = frozenset({host, f"{host}:99999", "exa mple", "a" * 300, "\u2100.example", "evil"})
        session = Session(f"http://{host}", "legacy-token", timeout=3)
        images = ImageSource(session, allowed_hosts=hosts, timeout=2)
        said = {}
        for address in [
            *(each.replace("HOST", host) for each in ODD_ADDRESSES),
            "/data/upload/1.png",
            f"http://{host}/1",
        ]:
            said[address] = _said_by(lambda address=address: images.fetch(address, 1))
        session.close()
    assert {address: what for address, what in said.items() if what not in ALLOWED} == {}


@pytest.mark.parametrize("place", ["", ".", "http://crm.example"])
@pytest.mark.parametrize(
    "image", ["//[", "http://[", "/a\0b", "\udcff", "a" * 5000, "", "..", "/", "//h/%zz", "http://x:y/"]
)
def test_whatever_a_sample_names_its_image_is_found_or_refused(image, place, tmp_path):
    images = SampleImages(tmp_path, 100, place=place, fetch=ImageSource(None).fetch)
    assert _said_by(lambda: images.read(image)) == "SampleError"


def asked_of(client, given):
    return {name: _said_by(call) for name, call in public_calls(client, given).items() if name != "close"}


ALLOWED = {each.__name__ for each in error_classes("ml_backend") | error_classes("model")} | {"nothing"}


def _said_by(call):
    try:
        call()
    except Exception as error:  # noqa: BLE001 - which, is the question
        return type(error).__name__ if type(error).__name__ in ALLOWED else repr(error)
    return "nothing"


# Models: Pillow, ONNX Runtime, safetensors, tokenizers, MLflow

RUBBISH = {"nothing": b"", "text": b"rubbish", "JSON": b"[]", "an object": b"{}", "bytes": bytes(range(256)) * 9}


def pictures():
    """Yield small files of each format, whole."""
    image = Image.effect_noise((40, 30), 60).convert("RGB")
    for kind in ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"):
        buffer = io.BytesIO()
        image.save(buffer, kind)
        yield kind, buffer.getvalue()


@pytest.mark.parametrize(("kind", "whole"), pictures())
def test_a_damaged_image_is_decoded_or_refused(kind, whole):
    chance = random.Random(kind)
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(chance.choice([1, 3, 20])):
            data[chance.randrange(min(len(data), 400))] = chance.randrange(256)
        cut = bytes(data[: chance.choice([len(data), chance.randrange(len(data))])])
        said = _said_by(lambda cut=cut: load_image(cut, max_bytes=10**6, max_pixels=10**5))
        assert said in {"nothing", "ImageError", "ImageTooLargeError"}, cut.hex()


@pytest.mark.parametrize("rubbish", RUBBISH.values(), ids=RUBBISH)
def test_a_checkpoint_with_a_damaged_file_is_refused(rubbish, tmp_path):
    whole = save_checkpoint(tmp_path / "whole", *tiny_model(("NAME",)))
    for file in sorted(whole.iterdir()):
        folder = shutil.copytree(whole, tmp_path / "damaged", dirs_exist_ok=True)
        (folder / file.name).write_bytes(rubbish)
        for runtime in ("onnx", "torch"):
            said = _said_by(lambda folder=folder, runtime=runtime: Extractor.load(folder, threads=1, runtime=runtime))
            assert said == "WeightsError" or (said == "nothing" and file.name not in NEEDED), (file.name, runtime, said)


#: Files of a checkpoint without which nothing can be loaded.
NEEDED = {"config.json", "model.safetensors", "tokenizer.json"}


@pytest.mark.parametrize("rubbish", RUBBISH.values(), ids=RUBBISH)
@pytest.mark.parametrize("file", ["det/inference.onnx", "rec/inference.onnx", "head"])
def test_an_ocr_engine_of_damaged_files_is_refused(file, rubbish, tmp_path):
    shipped = find_models(None)
    for name, files in (("det", shipped.detector), ("rec", shipped.recogniser)):
        (tmp_path / name).mkdir()
        shutil.copy(files.onnx, tmp_path / name / "inference.onnx")
        if files.description is not None:
            shutil.copy(files.description, tmp_path / name / "inference.yml")
    (tmp_path / file).write_bytes(rubbish)
    head = tmp_path / "head" if file == "head" else None
    said = _said_by(lambda: build_engine("rapidocr", models_dir=tmp_path, threads=1, recogniser=head))
    assert said == "EngineError"


@pytest.mark.parametrize("answer", ["down", "nothing", "a page", "an error", "JSON []", "JSON {}", "half of it"])
def test_whatever_answers_in_mlflows_place_only_our_errors_come_out(answer, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    with running() as server:
        server.routes = one_answer(ANSWERS.get(answer))
        url = f"http://127.0.0.1:{free_port()}" if answer == "down" else server.url
        said = {}
        for target in (Registry(Tracking(url, tmp_path)), Tracking(url, tmp_path)):
            said |= asked_of(target, {TrackedRun: TrackedRun(Tracking(url, tmp_path).client(), "1"), Path: tmp_path})
    assert {name: what for name, what in said.items() if what not in ALLOWED} == {}
    assert "TrackingError" in said.values() or answer == "JSON {}"
