"""An image in, a contact out: what an application stores, without Label Studio."""

from __future__ import annotations

from ml_backend.cards.contact import Contact, contact_of
from ml_backend.predictor import ModelSource


class Extraction:
    """Makes contacts of images; threads may share it.

    Args:
        models: Who answers for which project.
    """

    def __init__(self, models: ModelSource) -> None:
        self._models = models

    def extract(self, image: bytes, project_id: int | None = None, *, country: str | None = None) -> Contact:
        """Return what a card says of its owner.

        Args:
            image: The image file.
            project_id: Whose champion reads it; ``None`` for the weights that ship.
            country: Two letters of the country that numbers without a country code belong to; ``None`` to tell it from
                the card.

        Raises:
            ModelError: If the image cannot be used, or an engine fails.
        """
        return contact_of(self._models.lineup(project_id).champion.predict(image), country=country)
