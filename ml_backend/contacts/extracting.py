"""An image or a document in, a contact out: what an application stores, and whether a person should look.

Label Studio is not asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from active_learning.criteria import Verdict
from ml_backend.contacts.contact import Contact, contact_of
from ml_backend.errors import RequestError
from ml_backend.predict.task_predictor import ModelSource
from ml_backend.predict.uncertainty import ask_previous, signals_of
from ml_backend.store.signals import Signals
from model.document.page_files import PageLimits, page_files
from model.document.types import Document, PageNote


class Judge(Protocol):
    """Says whether a person should see a document; :class:`ml_backend.order.recommendations.Recommender` is one."""

    def verdict(self, project_id: int, signals: Signals) -> Verdict:
        """Apply a project's rules to one document."""
        ...


@dataclass(frozen=True, slots=True)
class Extracted:
    """A contact.

    Attributes:
        contact: What the card says of its owner.
        verdict: Whether, and why, a person should look at the card; ``None`` where nobody judges.
        notes: What else is to be said of its pages: lines in a script that no model reads, print too small to be seen.
    """

    contact: Contact
    verdict: Verdict | None = None
    notes: tuple[PageNote, ...] = ()


class Extraction:
    """Makes contacts of images; threads may share it.

    Args:
        models: Gives the serving models of a project.
        limits: What a document of several pages may be.
        judge: Says whether a person should look.
        usual_country: Asked for the country that a project's numbers belong to where nothing on a card tells it.
        seconds: So long pages are read at most, above 0.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        models: ModelSource,
        limits: PageLimits,
        judge: Judge | None = None,
        usual_country: Callable[[int | None], str | None] = lambda project_id: None,
        *,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._models = models
        self._limits = limits
        self._judge = judge
        self._usual_country = usual_country
        self._seconds = seconds
        self._clock = clock

    def extract(
        self,
        image: bytes,
        project_id: int | None = None,
        *,
        country: str | None = None,
        read: Document | None = None,
    ) -> Extracted:
        """Return what a card says of its owner.

        Args:
            image: The image file, or a PDF or TIFF, of which all pages are of one owner: a card's front and back.
            project_id: Whose champion reads it, and whose rules say whether a person should look; ``None`` for the
                weights that ship and the rules of the settings.
            country: Two letters of the country that numbers without a country code belong to; ``None`` to tell it from
                the card, else from the project's other cards.
            read: What stands on the image, where another engine has read it; ``None`` to have it read here.

        Raises:
            RequestError: If its pages take too long.
            ModelError: If the image cannot be used, or an engine fails.
            StoreError: If the store cannot be read.
        """
        serving = self._models.serving(project_id)
        deadline = self._clock() + self._seconds
        documents: list[Document] = [] if read is None else [read]
        for page in page_files(image, self._limits) if read is None else ():
            if documents and self._clock() >= deadline:
                raise RequestError(
                    f"There was time for {len(documents)} pages of the document.",
                    "Ask again: what was read is kept. Or send it for annotation.",
                )
            documents.append(serving.champion.predict(page))
        usual = None if country else self._usual_country(project_id)
        contact = contact_of(*documents, country=country, usual=usual)
        notes = tuple(note for document in documents for note in document.page.notes)
        if self._judge is None:
            return Extracted(contact, notes=notes)
        signals = signals_of(documents, ask_previous(serving.previous, documents))
        # No project has the number 0: nothing is annotated there, and the settings' rules count.
        return Extracted(contact, self._judge.verdict(project_id or 0, signals), notes)
