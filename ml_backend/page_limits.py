"""The settings to what a document of several pages may be."""

from __future__ import annotations

from ml_backend.settings import Settings
from model.document.page_files import PageLimits


def page_limits(settings: Settings) -> PageLimits:
    """Return what a document of several pages may be."""
    return PageLimits(settings.max_document_bytes, settings.max_pages, settings.max_image_pixels, settings.document_dpi)
