"""The errors that the model packages raise: one tree, so that a caller can catch what it can mend."""

from __future__ import annotations


class ModelError(Exception):
    """Anything that goes wrong between an image and its entities.

    The message is one sentence for the person who has to mend it, made by :func:`model.words.say` where it may be said
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
