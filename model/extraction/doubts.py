"""What the extractor is unsure of, word by word: the raw material of active learning.

Every number is higher where a person is needed more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from model.document.bio import field_of
from model.document.types import Doubts, Entity, Page
from model.extraction.patterns import kind_of

FloatArray = NDArray[np.float64]

#: Passes through the head with dropout. Their mean settles at about eight; the head is a thousandth of the model.
PASSES = 8
#: Share of the inputs that a pass leaves out where the head has no dropout of its own.
_DROPOUT = 0.1
_SEED = 20260101
#: From this probability on the second field of a word is a rival of the first.
_STAKE = 0.2

#: What patterns expect of the values of a field, and which field they expect where they see such a word.
_EXPECTED = {"EMAIL": {"mail"}, "WEBSITE": {"host"}, "PHONE": {"number"}, "FAX": {"number"}}
_SEEN = {"mail": "EMAIL", "host": "WEBSITE"}


def doubts_of(
    page: Page, probabilities: FloatArray, passes: FloatArray, tags: Sequence[str], entities: Sequence[Entity]
) -> Doubts:
    """Say what is doubtful on a page.

    Args:
        page: Its words.
        probabilities: Shape ``(words, tags)``, calibrated; rows sum to 1.
        passes: Shape ``(passes, words, tags)``: the same with dropout in the head.
        tags: The tag of each column.
        entities: What was named.
    """
    ordered = np.sort(probabilities, axis=1)
    return Doubts(
        least_confidence=(1.0 - ordered[:, -1]).astype(np.float32),
        margin=(1.0 - (ordered[:, -1] - ordered[:, -2])).astype(np.float32),
        entropy=(_entropy(probabilities) / np.log(len(tags))).astype(np.float32),
        disagreement=np.clip(_entropy(passes.mean(axis=0)) - _entropy(passes).mean(axis=0), 0.0, None).astype(
            np.float32
        ),
        patterns=_against_patterns(page, probabilities, tags, entities).astype(np.float32),
        rivals=_rivals(probabilities, tags),
    )


def no_doubts() -> Doubts:
    """Return the doubts about a page without words."""
    none = np.zeros(0, dtype=np.float32)
    return Doubts(none, none, none, none, none)


def dropped_passes(classifier: torch.nn.Module, states: torch.Tensor) -> torch.Tensor:
    """Run a classifier's head some times with inputs left out at random; the same states give the same answer.

    Gal & Ghahramani, "Dropout as a Bayesian Approximation" (ICML 2016), in the head alone.

    Args:
        classifier: Takes the last axis of the states; a head with layers of its own drops their outputs as well.
        states: Shape ``(tokens, hidden)``.

    Returns:
        Logits of shape ``(passes, tokens, tags)``.
    """
    chance = torch.Generator().manual_seed(_SEED)

    def dropped(values: torch.Tensor) -> torch.Tensor:
        kept = torch.rand(values.shape, generator=chance) >= _DROPOUT
        return values * kept / (1.0 - _DROPOUT)

    copies = dropped(states.expand(PASSES, *states.shape))
    if isinstance(classifier, torch.nn.Linear):
        return torch.as_tensor(classifier(copies))
    return torch.as_tensor(classifier.out_proj(dropped(torch.tanh(classifier.dense(copies)))))  # type: ignore[operator]


def _entropy(probabilities: FloatArray) -> FloatArray:
    """Return the entropy of the last axis in nats."""
    return np.asarray(-(probabilities * np.log(np.maximum(probabilities, 1e-12))).sum(axis=-1), dtype=np.float64)


def _rivals(probabilities: FloatArray, tags: Sequence[str]) -> tuple[tuple[str, str, float], ...]:
    """Return the fields that share words between them, those that share a word most evenly first."""
    names = sorted({field_of(tag) or "" for tag in tags})
    mass = np.stack([probabilities[:, [(field_of(tag) or "") == name for tag in tags]].sum(axis=1) for name in names])
    stakes: dict[tuple[str, str], float] = defaultdict(float)
    for shares in mass.T:
        second, first = np.argsort(shares)[-2:]
        if shares[second] >= _STAKE:
            pair = names[min(first, second)], names[max(first, second)]
            stakes[pair] = max(stakes[pair], float(shares[second]))
    return tuple((*pair, round(stake, 3)) for pair, stake in sorted(stakes.items(), key=lambda item: -item[1]))


def _against_patterns(
    page: Page, probabilities: FloatArray, tags: Sequence[str], entities: Sequence[Entity]
) -> FloatArray:
    """Say, for each word, how surely the classifier contradicts what the patterns see, in ``[0, 1]``."""
    words = page.words
    against = np.zeros(len(words))
    named = {index for entity in entities for index in range(entity.start, entity.stop)}
    for entity in entities:
        expected = _EXPECTED.get(entity.field)
        if expected and kind_of(" ".join(word.text for word in words[entity.start : entity.stop])) not in expected:
            against[entity.start : entity.stop] = entity.score
    columns = {field: [i for i, tag in enumerate(tags) if field_of(tag) == field] for field in _SEEN.values()}
    for index, word in enumerate(words):
        field = _SEEN.get(kind_of(word.text))
        if field and columns[field] and index not in named:
            against[index] = 1.0 - probabilities[index, columns[field]].sum()
    return np.clip(against, 0.0, 1.0)
