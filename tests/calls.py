"""Calls every public method of an object, with arguments made from the types that it takes."""

from __future__ import annotations

import collections.abc
import dataclasses
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, get_args, get_origin

import numpy as np

_PLAIN: dict[Any, Any] = {
    int: 1,
    float: 0.5,
    str: "1",
    bytes: b"1",
    bool: True,
    object: "1",
    Any: "1",
    datetime: datetime(2026, 1, 1, tzinfo=timezone.utc),
    timedelta: timedelta(seconds=1),
    Path: Path("missing"),
    type(None): None,
    np.ndarray: np.zeros((1, 4), np.float32),
}
_MAPPINGS = (dict, collections.abc.Mapping)
_MANY = (list, tuple, set, frozenset, *(getattr(collections.abc, n) for n in ("Sequence", "Iterable", "Collection")))


def public_calls(target: object, given: dict[Any, Any] | None = None) -> dict[str, Callable[[], object]]:
    """Return each public method of an object as a call without arguments; iterators are exhausted, contexts entered.

    Args:
        target: The object.
        given: Arguments by type or by name, where one that is made of the type would not do.
    """
    found = {}
    for name, method in inspect.getmembers(target, callable):
        kind = inspect.getattr_static(type(target), name, None)
        if (name.startswith("_") and name != "__call__") or not isinstance(kind, types.FunctionType):
            continue
        found[name] = lambda method=method, kind=kind: _use(method(**_arguments(kind, given or {})))
    return found


def _use(result: object) -> object:
    if isinstance(result, AbstractContextManager):
        with result:
            return None
    return list(result) if isinstance(result, Iterator) else result


def _arguments(function: types.FunctionType, given: dict[Any, Any]) -> dict[str, Any]:
    parameters = list(inspect.signature(function).parameters.values())[1:]
    return {
        each.name: given[each.name] if each.name in given else _made(_evaluated(each.annotation, function), given)
        for each in parameters
        if each.kind in {each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY}
    }


def _evaluated(annotation: Any, function: types.FunctionType) -> Any:
    if not isinstance(annotation, str):
        return annotation
    return eval(annotation, vars(sys.modules[function.__module__]))  # the project's own annotation


def _made(hint: Any, given: dict[Any, Any]) -> Any:
    origin, parameters = get_origin(hint), get_args(hint)
    if isinstance(hint, collections.abc.Hashable) and hint in given:
        return given[hint]
    if hint in _PLAIN:
        return _PLAIN[hint]
    if origin is typing.Literal:
        return parameters[0]
    if origin in {typing.Union, types.UnionType}:
        return _made(parameters[0], given)
    if origin in _MAPPINGS:
        return {_made(parameters[0], given): _made(parameters[1], given)}
    if origin is tuple and parameters[-1] is not Ellipsis:
        return tuple(_made(each, given) for each in parameters)
    if origin in _MANY:
        return [_made(parameters[0], given)]
    if origin is np.ndarray:
        return _PLAIN[np.ndarray]
    if origin is collections.abc.Callable:
        return lambda *_: None
    if isinstance(hint, type) and issubclass(hint, tuple):
        return hint(*(_made(each, given) for each in typing.get_type_hints(hint).values()))
    if isinstance(hint, type) and issubclass(hint, str):
        return hint("1")
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        return hint(**{each.name: _made(hints[each.name], given) for each in dataclasses.fields(hint) if each.init})
    raise TypeError(f"no argument is known for {hint}")
