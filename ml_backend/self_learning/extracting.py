"""An image in, a contact out, without Label Studio: what an application stores, and whether a person should look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from active_learning.criteria import Verdict
from ml_backend.cards.contact import Contact, contact_of
from ml_backend.former_opinion import ask_former
from ml_backend.predictor import ModelSource
from ml_backend.signals import Signals, signals_of


class Judge(Protocol):
    """Says whether a person should see a document; :class:`ml_backend.recommending.Recommender` is one."""

    def verdict(self, project_id: int, signals: Signals) -> Verdict:
        """Apply a project's rules to one document."""
        ...


@dataclass(frozen=True, slots=True)
class Extracted:
    """A contact.

    Attributes:
        contact: What the card says of its owner.
        verdict: Whether, and why, a person should look at the card; ``None`` where nobody judges.
    """

    contact: Contact
    verdict: Verdict | None = None


class Extraction:
    """Makes contacts of images; threads may share it.

    Args:
        models: Who answers for which project.
        judge: Says whether a person should look.
    """

    def __init__(self, models: ModelSource, judge: Judge | None = None) -> None:
        self._models = models
        self._judge = judge

    def extract(self, image: bytes, project_id: int | None = None, *, country: str | None = None) -> Extracted:
        """Return what a card says of its owner.

        Args:
            image: The image file.
            project_id: Whose champion reads it, and whose rules say whether a person should look; ``None`` for the
                weights that ship and the rules of the settings.
            country: Two letters of the country that numbers without a country code belong to; ``None`` to tell it from
                the card.

        Raises:
            ModelError: If the image cannot be used, or an engine fails.
            StoreError: If the store cannot be read.
        """
        lineup = self._models.lineup(project_id)
        document = lineup.champion.predict(image)
        contact = contact_of(document, country=country)
        if self._judge is None:
            return Extracted(contact)
        signals = signals_of([document], ask_former(lineup.former, [document]))
        # No project has the number 0: nothing is annotated there, and the settings' rules count.
        return Extracted(contact, self._judge.verdict(project_id or 0, signals))
