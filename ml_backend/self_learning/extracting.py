"""An image in, a contact out: what an application stores, without Label Studio."""

from __future__ import annotations

from collections.abc import Callable

from ml_backend.cards.contact import Contact, contact_of
from ml_backend.predictor import ModelSource


class Extraction:
    """Makes contacts of images; threads may share it.

    Args:
        models: Who answers for which project.
        usual_country: Asked for the country that a project's numbers belong to where nothing on a card tells it.
    """

    def __init__(
        self, models: ModelSource, usual_country: Callable[[int | None], str | None] = lambda project_id: None
    ) -> None:
        self._models = models
        self._usual_country = usual_country

    def extract(self, image: bytes, project_id: int | None = None, *, country: str | None = None) -> Contact:
        """Return what a card says of its owner.

        Args:
            image: The image file.
            project_id: Whose champion reads it; ``None`` for the weights that ship.
            country: Two letters of the country that numbers without a country code belong to; ``None`` to tell it from
                the card, else from the project's other cards.

        Raises:
            ModelError: If the image cannot be used, or an engine fails.
        """
        document = self._models.lineup(project_id).champion.predict(image)
        return contact_of(document, country=country, usual=None if country else self._usual_country(project_id))
