"""In which order fine-tuning sees what, and how often."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import LayoutLMv3ForTokenClassification

from model.extraction.augment import Augmentation, augment
from model.extraction.objective import grouped
from model.extraction.training import Example, PageDataset


class TrainingSchedule(PageDataset):
    """All that is seen, in one long pass: annotated pages, each time changed again, and synthetic cards between them.

    Args:
        train: Annotated pages.
        replay: Synthetic cards; few are repeated.
        model: The model to encode for.
        tokenizer: Its tokenizer.
        passes: Times that each annotated page is seen.
        cards: Synthetic cards for each annotated page.
        augmentation: How annotated pages are changed.
        seed: Of order and changes.
    """

    def __init__(
        self,
        train: Sequence[Example],
        replay: Sequence[Example],
        model: LayoutLMv3ForTokenClassification,
        tokenizer: Tokenizer,
        *,
        passes: int,
        cards: float,
        augmentation: Augmentation,
        seed: int,
    ) -> None:
        rng = np.random.default_rng(seed)
        cards = cards if replay else 0.0
        # Negative numbers are cards. Each pass has its own order and its own share of the cards.
        self._order: list[int] = []
        drawn = 0
        for _ in range(max(1, passes)):
            count = round(cards * len(train))
            numbers = [*range(len(train)), *(-1 - (drawn + i) % len(replay) for i in range(count))]
            drawn += count
            self._order += [numbers[i] for i in rng.permutation(len(numbers))]
        self._train, self._replay = train, replay
        self._augmentation, self._seed = augmentation, seed
        self._tags = model.config.num_labels
        super().__init__(self._lesson, len(self._order), model, tokenizer)

    def __getitem__(self, index: int) -> dict[str, NDArray[np.int64] | NDArray[np.float32]]:
        item = super().__getitem__(index)
        if self._order[index] >= 0:
            item["labels"] = grouped(item["labels"], self._tags)
        return item

    def _lesson(self, index: int) -> Example:
        number = self._order[index]
        if number < 0:
            return self._replay[-1 - number]
        return augment(self._train[number], np.random.default_rng((self._seed, index)), self._augmentation)
