"""A backend with the self-learning API, without Label Studio: real services, store and views, a reader of one card."""

from collections.abc import Sequence

from flask.testing import FlaskClient

from ml_backend.api.services import Services
from ml_backend.app import create_app
from ml_backend.container import build_recommender, build_self_learning
from ml_backend.label_studio.client import LabelStudio
from ml_backend.predict.serving_models import SoleModel
from ml_backend.settings import Settings
from ml_backend.store.options import ProjectOptions
from model.document.images import load_image
from model.document.types import Box, Document, Entity, Line, Page, Word
from tests.ml_backend.backend import RECTANGLES, ImageTable, build_backend

TOKEN = "a token of the tests"
PROJECT = 2
CARD = (
    ("NAME", "Dr. Ada Lovelace"),
    ("POSITION", "Engineer"),
    ("COMPANY", "Analytical Engines Ltd"),
    ("PHONE", "+44 20 7946 0018"),
    ("FAX", "+44 20 7946 0019"),
    ("EMAIL", "ada@engines.example"),
    ("WEBSITE", "www.engines.example"),
    ("ADDRESS", "12 St James's Square, London"),
)


class CardReader:
    """Finds the same card on every picture that can be decoded."""

    version = "card-00000001.000001"

    def __init__(self, card: Sequence[tuple[str, str]] = CARD) -> None:
        self.card = card

    def predict(self, data: bytes) -> Document:
        image = load_image(data, max_bytes=10**7, max_pixels=10**7)
        return document(self.card, image.shape[1], image.shape[0])

    def revisit(self, key: str) -> None:
        return None

    def extract(self, page: Page, image: object = None) -> Document:
        return Document(page, (), 0.5, "engine", self.version)


def document(card: Sequence[tuple[str, str]], width: int = 640, height: int = 400) -> Document:
    """Return a document whose lines are the values of a card, a field each."""
    lines, entities, at = [], [], 0
    for index, (field, text) in enumerate(card):
        words = [
            Word(word, Box(40 + 90 * i, 20 + 40 * index, 120 + 90 * i, 45 + 40 * index), 0.9)
            for i, word in enumerate(text.split())
        ]
        box = Box.around(word.box for word in words)
        lines.append(Line(text, box.polygon(), 0.9, tuple(words)))
        entities.append(Entity(field, text, box, 0.8, at, at + len(words)))
        at += len(words)
    return Document(Page(width, height, tuple(lines)), tuple(entities), 0.7, "engine", CardReader.version)


class ApiClient:
    """Calls the API with the token."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, path: str, **more: object):
        return self.client.get(f"/api/self-learning{path}", headers=self._headers(more), **more)

    def post(self, path: str, **more: object):
        return self.client.post(f"/api/self-learning{path}", headers=self._headers(more), **more)

    def _headers(self, more: dict[str, object]) -> dict[str, str]:
        return {"Authorization": f"Bearer {TOKEN}"} | more.pop("headers", {})


def build_api(
    settings: Settings,
    images: ImageTable | None = None,
    *,
    config: str | None = RECTANGLES,
    label_studio: LabelStudio | None = None,
):
    """Return an application with the API; ``config`` is what was seen of the project before Label Studio died."""
    reader = CardReader()
    backend = build_backend(settings, reader, None, images or ImageTable())
    store = backend.services.store
    if config is not None:
        ProjectOptions(store.engine).remember_label_config(PROJECT, config)
    recommender = build_recommender(settings, store)
    learning = build_self_learning(settings, store, label_studio, backend.images, SoleModel(reader), recommender)
    services = Services(backend.services.predictions, store, backend.services.metrics, learning)
    return create_app(settings, services), learning
