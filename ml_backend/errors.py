"""The errors of the backend: one tree, so that one handler can turn each into an answer with its status.

    BackendError
    ├── CredentialsError
    │   └── TokenError                   api
    ├── ImageFetchError
    │   ├── FileTooLargeError
    │   └── ImageRefusedError
    ├── LabelConfigError
    ├── LabelStudioError
    │   ├── LabelStudioUnreachableError
    │   ├── NotFoundError
    │   └── TokenRefusedError
    ├── LaunchError
    ├── RequestError
    ├── FormError                        admin
    ├── StalePageError                   admin
    ├── ClosedError                      api
    ├── ContentTypeError                 api
    ├── ContactBusyError                 contacts
    ├── QueueError                       jobs
    ├── RefusedJobError                  jobs
    ├── TooComplexError                  label_studio
    ├── LostRunError                     learn
    ├── NoRunError                       learn
    ├── NotReadyError                    learn
    ├── NothingBeforeError               learn
    ├── PageMismatchError                learn
    ├── SampleError                      learn
    ├── ShareRefusedError                learn
    ├── BackupError                      ops
    ├── FilesBusyError                   ops
    ├── InUseError                       ops
    ├── RoleError                        ops
    ├── VersionOutOfReachError           order
    ├── NoImageError                     predict
    ├── TimeUpError                      predict
    ├── TooManyPagesError                predict
    ├── ProjectMissingError              projects
    ├── StoreError                       store
    │   ├── StoreBusyError               store
    │   └── ValueTooLargeError           store
    └── WorkerNotReadyError              tasks

Beside each error that is not defined here stands its room: a folder or module of ``ml_backend``. What a library raises
is caught where it is called and raised as one of these. A ``ValueError`` is left to mistakes in the code.
"""

from __future__ import annotations

from model.errors import say


class BackendError(Exception):
    """Anything that the backend can say in one sentence to the person who has to fix it.

    Messages and hints carry no secret and no document content: both are logged and sent to the caller. What visitors of
    the panel may meet is raised with sentences (:func:`model.errors.say`), so that it can be said in Russian too.

    Attributes:
        message: What went wrong, one sentence.
        hint: What to do about it; empty where the message says it already.
        status: The HTTP status that the backend answers with.
        retry_after: Seconds after which the same may work; 0 where that is not known.
    """

    status: int = 500
    retry_after: int = 0

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def said(self) -> str:
        """Message and hint, as one sentence with its parts where they were raised as such."""
        if not self.hint:
            return self.message
        return say("{message} {hint}", message=self.message, hint=self.hint)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


class RequestError(BackendError):
    """A request that the backend does not understand: not JSON, a part missing, a value out of range."""

    status = 400


class CredentialsError(BackendError):
    """A request without the credentials or the secret that the backend demands.

    Attributes:
        scheme: What the caller is asked to authenticate by.
    """

    status = 401
    scheme = "Basic"


class LabelConfigError(BackendError):
    """A labelling configuration that cannot be read, or that has no place for text regions."""

    status = 422


class LabelStudioError(BackendError):
    """Label Studio refused what the backend asked for, or answered with what it cannot use."""

    status = 502


class LabelStudioUnreachableError(LabelStudioError):
    """Label Studio did not answer: it is down, the address is wrong, or it took too long."""

    status = 503


class TokenRefusedError(LabelStudioError):
    """Label Studio does not accept the token, or the token's user may not do this."""


class NotFoundError(LabelStudioError):
    """What was asked for does not exist in Label Studio."""

    status = 404


class ImageFetchError(BackendError):
    """An image that could not be fetched: missing, too large, too slow, or not an image but a login page."""

    status = 502


class FileTooLargeError(ImageFetchError):
    """An image file of more bytes than the settings allow."""


class ImageRefusedError(ImageFetchError):
    """An image address that the backend does not fetch from: another host, another scheme, outside the folder."""

    status = 403


class LaunchError(BackendError):
    """The system cannot be brought up; the message says why, and the hint what to do."""
