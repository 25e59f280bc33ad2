"""A stand-in for label-studio-ml 2.x, where that package is not installed: its contract, in our own words.

It is not that package and shares no line with it. It holds what the adapter relies on:

- an object of the model's class is made for every request, with ``project_id`` (text) and ``label_config``;
- its values (:meth:`get`, :meth:`set`) are kept by project, as text, beyond the object; ``model_version`` is there
  before :meth:`setup` is called, and ``/setup`` answers with it;
- a labelling configuration is parsed in the constructor, by the SDK, which raises if it cannot be;
- ``predict`` is called with ``tasks``, ``context`` and what else stood in ``params``; its response is shown as
  ``{"results": predictions}``, each prediction with its version;
- ``fit`` is called with the event and what came with it, for four events only; its result is shown as JSON;
- Basic auth is demanded of every request, or of none.
"""

import sys
import types
from typing import ClassVar

from flask import Flask, abort, jsonify, request
from label_studio_sdk.label_interface import LabelInterface
from label_studio_sdk.label_interface.objects import PredictionValue
from pydantic import BaseModel

EVENTS = {"ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATION_DELETED", "START_TRAINING"}


class ModelResponse(BaseModel):
    model_config = {"protected_namespaces": ()}

    model_version: str | None = None
    predictions: list[list[PredictionValue] | PredictionValue]


class LabelStudioMLBase:
    values: ClassVar[dict[tuple[str, str], str]] = {}

    def __init__(self, project_id=None, label_config=None):
        self.project_id = project_id or ""
        if label_config is not None:
            self.use_label_config(label_config)
        if self.get("model_version") is None:
            self.set("model_version", "0.0.1")
        self.setup()

    def setup(self):
        pass

    def use_label_config(self, label_config):
        self.label_interface = LabelInterface(config=label_config)
        self.set("label_config", label_config)

    def get(self, key):
        return self.values.get((self.project_id, key))

    def set(self, key, value):
        if not isinstance(value, str):
            raise ValueError("only text is kept")
        self.values[self.project_id, key] = value


def init_app(model_class, basic_auth_user=None, basic_auth_pass=None):
    app = Flask("stand-in")

    @app.before_request
    def admit():
        sent = request.authorization
        if basic_auth_user and (sent is None or (sent.username, sent.password) != (basic_auth_user, basic_auth_pass)):
            abort(401)

    @app.get("/health")
    def health():
        return {"status": "UP"}

    @app.post("/setup")
    def setup():
        model = model_class(project_id=_number(request.json["project"]), label_config=request.json.get("schema"))
        return {"model_version": model.get("model_version")}

    @app.post("/predict")
    def predict():
        model = model_class(project_id=_number(request.json["project"]), label_config=request.json["label_config"])
        params = dict(request.json.get("params") or {})
        context = params.pop("context", {})
        response = model.predict(request.json["tasks"], context=context, **params)
        return jsonify({"results": response.model_dump()["predictions"]})

    @app.post("/webhook")
    def webhook():
        data = dict(request.json)
        event = data.pop("action")
        if event not in EVENTS:
            return {"status": "Unknown event"}, 200
        model = model_class(str(data["project"]["id"]), label_config=data["project"]["label_config"])
        return jsonify({"result": model.fit(event, data), "status": "ok"}), 201

    return app


def install(monkeypatch):
    """Let imports of the package find the stand-in until the test ends."""
    package = types.ModuleType("label_studio_ml")
    parts = {
        "model": {"LabelStudioMLBase": LabelStudioMLBase},
        "response": {"ModelResponse": ModelResponse},
        "api": {"init_app": init_app},
    }
    package.__path__ = []
    monkeypatch.setitem(sys.modules, "label_studio_ml", package)
    for name, content in parts.items():
        module = types.ModuleType(f"label_studio_ml.{name}")
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, f"label_studio_ml.{name}", module)
    monkeypatch.setattr(LabelStudioMLBase, "values", {})


def _number(project):
    return str(project).partition(".")[0]
