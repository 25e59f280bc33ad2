"""Each root package has one tree of errors, drawn at the top of its ``errors`` module as it is."""

import importlib
import pkgutil
from functools import cache

import pytest

ROOTS = {"ml_backend": "BackendError", "model": "ModelError", "active_learning": "ActiveLearningError"}
#: Needs the optional label-studio-ml package, or runs when it is imported.
NOT_IMPORTED = {"ml_backend.label_studio_ml", "ml_backend.__main__", "ml_backend.wsgi"}


@cache
def error_classes(package):
    """Return every exception class that a package's modules define."""
    root = importlib.import_module(package)
    names = [found.name for found in pkgutil.walk_packages(root.__path__, f"{package}.")]
    modules = [
        importlib.import_module(name) for name in names if name not in NOT_IMPORTED and ".migrations." not in name
    ]
    return {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Exception) and value.__module__ == module.__name__
    }


def room(error):
    """Return the room of a class that is not defined in the package's own ``errors``."""
    _, first, *_ = error.__module__.split(".")
    return "" if first == "errors" else first


def drawing(package):
    """Draw the tree; beside each class from elsewhere stands its room."""
    rows = []
    public = [each for each in error_classes(package) if not each.__name__.startswith("_")]

    def draw(error, branch, below):
        rows.append((branch + error.__name__, room(error)))
        children = sorted(
            (each for each in public if error in each.__bases__), key=lambda each: (room(each), each.__name__)
        )
        for child in children:
            last = child is children[-1]
            draw(child, below + ("└── " if last else "├── "), below + ("    " if last else "│   "))

    draw(getattr(importlib.import_module(f"{package}.errors"), ROOTS[package]), "    ", "    ")
    width = max(len(text) for text, _ in rows) + 2
    return "\n".join(f"{text:{width}}{place}".rstrip() for text, place in rows)


@pytest.mark.parametrize("package", ROOTS)
def test_the_drawing_is_the_tree(package):
    drawn = importlib.import_module(f"{package}.errors").__doc__
    assert drawing(package) in drawn, f"draw in {package}/errors.py:\n{drawing(package)}"


@pytest.mark.parametrize("package", ROOTS)
def test_every_error_that_others_may_see_is_in_the_tree_and_explained(package):
    root = getattr(importlib.import_module(f"{package}.errors"), ROOTS[package])
    public = {each for each in error_classes(package) if not each.__name__.startswith("_")}
    assert [each for each in public if not issubclass(each, root)] == []
    assert [each for each in public if not each.__doc__] == []


def test_no_two_errors_have_the_same_name():
    names = [each.__name__ for package in ROOTS for each in error_classes(package) if each.__name__[0] != "_"]
    assert sorted(set(names)) == sorted(names)


def test_every_error_of_the_backend_has_a_status_that_is_an_error():
    backend = [each for each in error_classes("ml_backend") if hasattr(each, "status")]
    assert len(backend) > 30
    assert [each for each in backend if not 400 <= each.status < 600] == []
