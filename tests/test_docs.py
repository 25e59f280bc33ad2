"""The site builds, loads nothing from elsewhere, and its tables of settings, routes, commands and metrics are true.

Links from page to page are checked by mkdocs itself, which builds with ``--strict``.
"""

import ast
import re
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
from pydantic import SecretStr

from ml_backend.api.learning import routes
from ml_backend.api.learning_views import Views
from ml_backend.cli.main import _parser
from ml_backend.settings import Settings
from ml_backend.store.events import Store
from tests.ml_backend.backend import ImageTable, build_backend
from tests.ml_backend.observability.test_monitoring import everything, sample_names
from tests.ml_backend.predict.test_service import TextReader

ROOT = Path(__file__).parents[1]
DOCS = {path.relative_to(ROOT / "docs").as_posix(): path.read_text("utf-8") for path in (ROOT / "docs").rglob("*.md")}
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMPOSE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
#: Names in capitals that are other programs' settings, or no settings.
OTHERS = {"LABEL_STUDIO_HOST", "ML_BLOCK_LOCAL_IP", "SSRF_PROTECTION_ENABLED", "INVOICE_NUMBER"}


class _Loaded(HTMLParser):
    """Collects what a page loads when it is opened; links that a person follows are not among it."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if tag == "link" and values.get("rel") in {"canonical", "prev", "next"}:
            return
        name = {"script": "src", "link": "href", "img": "src", "iframe": "src"}.get(tag)
        if name and values.get(name):
            self.found.append(values[name])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("material", reason="mkdocs-material is not installed: it needs Python 3.11.5")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_the_site_builds_with_every_page_and_loads_nothing_from_elsewhere(site):
    built = {path.relative_to(site).with_suffix(".md").as_posix(): path for path in site.rglob("*.html")}
    assert DOCS.keys() == built.keys() - {"404.md"}
    for path in built.values():
        page = _Loaded()
        page.feed(path.read_text(encoding="utf-8"))
        assert [address for address in page.found if address.startswith(("http:", "https:", "//"))] == []
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//", sheet.read_text(encoding="utf-8"))


# Settings

SETTINGS = DOCS["operations/settings.md"]
ROWS = {
    match[1]: (match[2].strip().strip("`"), match[3])
    for match in re.finditer(r"^\| `([A-Z_]+)` \|([^|]*)\| (.*) \|$", SETTINGS, re.MULTILINE)
}


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_stands_in_its_table_with_default_and_meaning(name):
    field = Settings.model_fields[name]
    default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
    assert ROWS[name.upper()] == ("" if default is None else str(default), field.description)


def test_the_tables_have_the_blocks_and_the_order_of_the_settings():
    source = (ROOT / "ml_backend/settings.py").read_text(encoding="utf-8")
    in_code = re.findall(r"^    (?:# --- (.+)|(\w+): .+ = Field\()", source, re.MULTILINE)
    on_page = re.findall(r"^(?:## (.+)|\| `([A-Z_]+)` \|.*)$", SETTINGS, re.MULTILINE)
    assert [(title, name.lower()) for title, name in on_page] == in_code
    assert [name for _, name in in_code if name] == list(Settings.model_fields)


def block(title):
    return re.findall(r"^\| `([A-Z_]+)`", SETTINGS.partition(f"## {title}\n")[2].partition("\n## ")[0], re.MULTILINE)


def test_what_people_set_comes_first_and_thresholds_have_blocks_of_their_own():
    first = block("What most people set")
    assert list(ROWS)[: len(first)] == first
    assert 8 <= len(first) <= 12
    thresholds = {name for name in ROWS if re.search(r"THRESHOLD|GATE_|MARGIN|_BLOCK|CRITICAL", name)}
    assert set(block("Thresholds of the gates") + block("Thresholds of the recommendations")) == thresholds


def test_every_setting_that_the_pages_name_exists():
    named = {name for text in DOCS.values() for name in re.findall(r"`([A-Z][A-Z]+(?:_[A-Z]+)+)[`=/]", text)}
    containers = set(re.findall(r"\$\{([A-Z_]+)|^ +([A-Z_]+): ", COMPOSE, re.MULTILINE))
    known = OTHERS | {name for pair in containers for name in pair} | {name.upper() for name in Settings.model_fields}
    assert named - known == set()


# Commands and routes


def commands():
    [subparsers] = [action for action in _parser()._actions if hasattr(action, "choices") and action.choices]
    return subparsers.choices


COMMANDS = re.findall(r"^\| (`.*?) \|", DOCS["commands.md"], re.MULTILINE)


@pytest.mark.parametrize("name", commands())
def test_every_command_has_its_row_with_all_of_its_options(name):
    [row] = [cell for cell in COMMANDS if re.search(rf"`{name}[` ]", cell)]
    options = {option for action in commands()[name]._actions for option in action.option_strings} - {"-h", "--help"}
    assert set(re.findall(r"--[a-z-]+", row)) == options


def test_no_row_is_of_a_command_that_does_not_exist():
    assert {name for cell in COMMANDS for name in re.findall(r"`([a-z-]+)", cell)} == set(commands())


def test_no_page_names_a_command_that_does_not_exist():
    text = README + "".join(DOCS.values())
    assert set(re.findall(r"python -m ml_backend ([a-z][a-z-]+)", text)) <= set(commands())


def test_every_route_that_label_studio_calls_is_named(make_settings):
    app = build_backend(make_settings(), TextReader(), None, ImageTable()).app
    served = {
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("protocol.") and rule.rule != "/"
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    section = DOCS["connecting.md"].partition("## What Label Studio calls")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `((?:GET|POST) /[^`?]*)`", section, re.MULTILINE)) == served


def test_every_route_of_the_self_learning_api_is_named():
    section = DOCS["api.md"].partition("## Routes")[2].partition("\n## ")[0]
    named = set(re.findall(r"`((?:GET|POST) /[^`?]*)`", section))
    served = {f"{route.method} {route.path}" for route in routes(Views(None, share=0.0, both=False))}
    assert named == served | {"GET /openapi.json"}


def test_every_metric_has_its_line_and_no_other_is_named(redis_url):
    store = Store("sqlite://")
    text = everything(store, redis_url).render().decode()
    store.close()
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in sample_names(text)}
    families -= {name for name in families if name.endswith("_created")}
    table = re.findall(r"^\| (`ml_backend_.*?) \|", DOCS["operations/monitoring.md"], re.MULTILINE)
    listed = [name for cell in table for name in re.findall(r"`(ml_backend_\w+)`", cell)]
    assert sorted(listed) == sorted(families)


# Messages


@cache
def texts():
    """Return all texts of the code: each a list of its constant parts, between which something is put in."""
    found = []
    for package in ("ml_backend", "model"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    found.append([part.value if isinstance(part, ast.Constant) else None for part in node.values])
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append([node.value])
    return found


def says(message):
    """Tell whether the code has a text of which this is a part, with "…" for what is put in."""
    pattern = ".*".join(re.escape(part) for part in message.split("…"))
    return any(re.search(pattern, "\0".join(part or "" for part in text), re.DOTALL) for text in texts())


MESSAGES = re.findall(r"^### `(.+)`$", DOCS["faq.md"], re.MULTILINE)


def test_the_faq_has_ten_failures():
    assert len(MESSAGES) == 10
    assert not says("a message that nobody wrote …")


@pytest.mark.parametrize("message", MESSAGES)
def test_each_message_of_the_faq_stands_in_the_code(message):
    assert says(message)


# The tree

CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
MAP = [re.findall(r"`([^`]+)`", cell) for cell in re.findall(r"^\| (`.*?) \|", CONTRIBUTING, re.MULTILINE)]


def mapped():
    """Yield the places of each path of the map; a name may stand beside the first of its row, or in ``ml_backend``."""
    for names in MAP:
        for name in names:
            yield name, [folder / name for folder in (ROOT, ROOT / Path(names[0]).parent, ROOT / "ml_backend")]


def test_everything_on_the_map_is_there():
    assert [name for name, places in mapped() if not any(place.exists() for place in places)] == []


@pytest.mark.parametrize("package", ["ml_backend", "model", "active_learning"])
def test_every_folder_of_the_packages_is_on_the_map(package):
    found = {place for _, places in mapped() for place in places if place.is_dir()}
    folders = {path.parent for path in (ROOT / package).glob("*/__init__.py")} | {ROOT / package}
    assert folders - found == set()


# Words

#: Not said in code and docs, since the field has standard terms or plain words for them.
AVOIDED = re.compile(
    r"\b(anew|mend(s|ed|ing)?|heed(s|ed|ing)?|deeds?|line-?ups?|who serves|steering|LookingAgain|Occasional|PagesAhead"
    r"|TaughtHead|patients?)\b",
    re.IGNORECASE,
)


#: Not said in the documentation either; in code some of these are still names.
AVOIDED_IN_DOCS = re.compile(
    r"\b(teach(es|ing)?|taught|lessons?|due|hinted|counsel|whoever|not to be had|settles?)\b|[«»]", re.IGNORECASE
)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", *(f"docs/{name}" for name in DOCS)])
def test_the_documentation_is_in_plain_words(name):
    text = re.sub(r"`[^`]*`", "", (ROOT / name).read_text(encoding="utf-8"))
    assert [match[0] for match in AVOIDED_IN_DOCS.finditer(text)] == []


def test_code_and_docs_use_standard_terms_and_plain_words():
    files = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "ml_backend", "model", "active_learning", "docs")]
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for top in files
        for path in ([top] if top.is_file() else sorted(top.rglob("*")))
        if path.suffix in {".py", ".md", ".html"} and "model/synthetic" not in path.as_posix()
        for match in AVOIDED.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == []
