"""The panel over a real store, without a Label Studio, and a visitor."""

import re

import pytest
from flask import Flask

from ml_backend.admin.views import add_panel
from ml_backend.api.failures import register_error_handlers
from ml_backend.container import build_panel
from ml_backend.store.events import Store
from model.registry.tracking import Tracking
from model.registry.versions import Registry

TOKEN = "a token of the tests"


class Visitor:
    """A browser, as far as forms need one."""

    def __init__(self, app):
        self.http = app.test_client()

    def get(self, path, **options):
        return self.http.get(path, **options)

    def secret(self, path="/admin/login"):
        return re.search(r'name="form" value="([^"]+)"', self.get(path).text)[1]

    def log_in(self, token=TOKEN, address="127.0.0.1", **form):
        data = {"form": self.secret(), "token": token} | form
        return self.http.post("/admin/login", data=data, environ_base={"REMOTE_ADDR": address})

    def press(self, page, name, **more):
        """Press the button of that name on a page, just as the page has it."""
        found = re.search(rf'<form[^>]*action="([^"]*/actions/{name})"(.*?)</form>', self.get(page).text, re.DOTALL)
        assert found, f"no button {name} on {page}"
        fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', found[2]))
        return self.http.post(found[1], data=fields | more), found[1], fields


@pytest.fixture
def registry(settings):
    return Registry(Tracking(settings.tracking_uri, settings.models_dir))


@pytest.fixture
def settings(make_settings, tmp_path):
    folders = {"models_dir": tmp_path / "models", "training_data_dir": tmp_path / "data"}
    return make_settings(api_token=TOKEN, min_training_samples=2, **folders)


@pytest.fixture
def store(settings):
    store = Store(settings.store_url)
    yield store
    store.close()


@pytest.fixture
def panel(settings, store):
    return build_panel(settings, store)


def build_app(panel, redis_url=""):
    app = Flask("ml_backend", static_folder=None)
    register_error_handlers(app)
    add_panel(app, panel, token=TOKEN, secure=False, redis_url=redis_url)
    return app


@pytest.fixture
def stranger(panel):
    return Visitor(build_app(panel))


@pytest.fixture
def visitor(stranger):
    assert stranger.log_in().status_code == 303
    return stranger
