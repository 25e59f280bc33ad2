"""The errors that the model packages raise, and the messages that they are raised with.

    ModelError
    ├── EngineError
    ├── ImageBusyError
    ├── ImageError
    │   └── ImageTooLargeError
    ├── RecogniserError
    ├── SyntheticError
    ├── TrackingError
    │   └── VersionError
    │       └── UnknownVersionError
    ├── WeightsError
    └── PageCodecError               document

Beside each error that is not defined here stands its room: a folder of ``model``. What a library raises is caught where
it is called and raised as one of these. A ``ValueError`` is left to mistakes in the code.

A message is English, and keeps its template and values, as gettext does: the backend translates it by its template.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class ModelError(Exception):
    """Anything that goes wrong between an image and its entities.

    The message is one sentence for the person who has to fix it, made by :func:`say` where it may be said
    in another language; it never carries document content.
    """


class ImageError(ModelError):
    """An image that cannot be used: broken, of an unknown format, too large."""


class ImageTooLargeError(ImageError):
    """An image, or a document, of more bytes, pixels or pages than the settings allow."""


class ImageBusyError(ModelError):
    """An image for which there is no memory at this moment; it may be tried again."""


class EngineError(ModelError):
    """An OCR engine that cannot be built or run, for example because its model files are missing."""


class WeightsError(ModelError):
    """Extractor weights that cannot be loaded: missing, incomplete, or of another architecture."""


class SyntheticError(ModelError):
    """A synthetic card that cannot be made, for example because no font covers its script."""


class TrackingError(ModelError):
    """MLflow cannot be read or written."""


class VersionError(TrackingError):
    """A model version that does not exist, or whose files are missing or damaged."""


class UnknownVersionError(VersionError):
    """A model version that does not exist."""


class RecogniserError(ModelError):
    """A recogniser that cannot be used or trained: no CTC head, unknown characters, damaged weights."""


class Words(str):
    """A sentence: a string like any other, in English, which still knows what it was made of.

    So it may stand wherever a message or a reason does, and who says it to a person may say it in another language.

    Args:
        template: English, with ``{name}`` where a value goes; also the key under which translations are found.
        values: The values. They are never translated, but for those that are sentences themselves.
    """

    template: str
    values: Mapping[str, object]

    def __new__(cls, template: str, values: Mapping[str, object] | None = None) -> Words:
        """Make the English sentence; the parts stay with it."""
        words = super().__new__(cls, template.format(**values) if values else template)
        words.template, words.values = template, dict(values or {})
        return words


def say(template: str, **values: object) -> Words:
    """Return a sentence; translations are collected by this function's name."""
    return Words(template, values)


def listed(sentences: Sequence[Words]) -> Words:
    """Return one sentence of several, parted by semicolons; empty for none."""
    if len(sentences) < 2:
        return sentences[0] if sentences else Words("")
    return say("{first}; {rest}", first=sentences[0], rest=listed(sentences[1:]))


def said_by(error: BaseException) -> str:
    """Return what an error says, as a sentence if it was raised with one."""
    first = error.args[0] if error.args else ""
    return first if isinstance(first, Words) and first == str(error) else str(error)
