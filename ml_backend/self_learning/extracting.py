"""An image or a document in, a contact out: what an application stores, without Label Studio."""

from __future__ import annotations

import time
from collections.abc import Callable

from ml_backend.cards.contact import Contact, contact_of
from ml_backend.errors import RequestError
from ml_backend.predictor import ModelSource
from model.document import Document
from model.page_splitting import PageLimits, page_files


class Extraction:
    """Makes contacts of images; threads may share it.

    Args:
        models: Who answers for which project.
        limits: What a document of several pages may be.
        usual_country: Asked for the country that a project's numbers belong to where nothing on a card tells it.
        seconds: So long pages are read at most, above 0.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        models: ModelSource,
        limits: PageLimits,
        usual_country: Callable[[int | None], str | None] = lambda project_id: None,
        *,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._models = models
        self._limits = limits
        self._usual_country = usual_country
        self._seconds = seconds
        self._clock = clock

    def extract(self, image: bytes, project_id: int | None = None, *, country: str | None = None) -> Contact:
        """Return what a card says of its owner.

        Args:
            image: The image file, or a PDF or TIFF, of which all pages are of one owner: a card's front and back.
            project_id: Whose champion reads it; ``None`` for the weights that ship.
            country: Two letters of the country that numbers without a country code belong to; ``None`` to tell it from
                the card, else from the project's other cards.

        Raises:
            RequestError: If its pages take too long.
            ModelError: If the image cannot be used, or an engine fails.
        """
        reader = self._models.lineup(project_id).champion
        deadline = self._clock() + self._seconds
        documents: list[Document] = []
        for page in page_files(image, self._limits):
            if documents and self._clock() >= deadline:
                raise RequestError(
                    f"There was time for {len(documents)} pages of the document.",
                    "Ask again: what was read is kept. Or send it for annotation.",
                )
            documents.append(reader.predict(page))
        usual = None if country else self._usual_country(project_id)
        return contact_of(*documents, country=country, usual=usual)
