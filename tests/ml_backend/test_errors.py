"""The tree of errors."""

from __future__ import annotations

import inspect

from ml_backend import errors
from ml_backend.errors import BackendError


def test_an_error_says_what_happened_and_what_to_do():
    error = BackendError("The token was refused.", "Make another.")

    assert str(error) == "The token was refused. Make another."
    assert (error.message, error.hint, error.status) == ("The token was refused.", "Make another.", 500)
    assert str(BackendError("It failed.")) == "It failed."


def test_every_error_is_in_the_tree_and_has_a_status_that_is_an_error():
    for _, error in inspect.getmembers(errors, inspect.isclass):
        assert issubclass(error, BackendError)
        assert 400 <= error.status < 600
        assert error.__doc__
