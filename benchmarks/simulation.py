"""What the simulations of active learning share: documents with frozen states, and a learner that takes a blink.

The shipped extractor's layers stay as they are; each word's states after the third of six, compressed to their main
directions, are given to a multinomial logistic regression that starts from nothing. The last layer's states know the
fields of cards already, and are within 5 % of the goal after five documents; after the third there is something left
to learn, as in a project with designs and fields of its own. This is not the product's fine-tuning, which takes half a
minute a time.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize

from active_learning.cost import ExpectedCost, Signals
from active_learning.disagreement import bald
from active_learning.missing import UsualFields
from active_learning.pool import FloatArray, Pool
from active_learning.uncertainty import Aggregate, entropy, least_confidence, margin
from benchmarks.finetune import find, read_pages
from model.document.bio import field_of, spans, tags_of
from model.document.types import Page
from model.extraction.alignment import align, segment_truth
from model.extraction.checkpoint import load_checkpoint
from model.extraction.extractor import build_encoder
from model.extraction.inputs import merge
from model.extraction.segmentation import segment
from model.extraction.training import Example
from model.pipeline import SHIPPED_WEIGHTS
from model.synthetic import FontSet, layout_card, simulate_reading
from model.synthetic.locales import LOCALES, is_cyrillic

#: The layer whose states are taken, counted from 1.
LAYER = 3
#: Main directions of the states that the learner is given.
COMPONENTS = 128
#: Pull of its weights towards 0.
_RIDGE = 3.0
#: Passes with dropout, and the share of the states that each leaves out.
_PASSES, _DROPOUT = 8, 0.2
#: Numbers that a document's gradient is sketched with.
_SKETCH = 64


@dataclass(frozen=True)
class Collection:
    """Documents that are learned from and tested on.

    Attributes:
        examples: Pages with their true tags.
        states: For each, shape ``(words, components)``.
        kinds: For each, what kind it is; tests draw from each kind alike.
        fields: All fields.
        tagged_only: Whether a field that a document's truth lacks may be there all the same.
    """

    examples: tuple[Example, ...]
    states: tuple[FloatArray, ...]
    kinds: tuple[str, ...]
    fields: tuple[str, ...]
    tagged_only: bool

    @cached_property
    def tags(self) -> tuple[str, ...]:
        return tags_of(self.fields)

    @cached_property
    def targets(self) -> tuple[NDArray[np.int64], ...]:
        columns = {tag: i for i, tag in enumerate(self.tags)}
        return tuple(np.array([columns.get(tag, 0) for tag in e.tags], dtype=np.int64) for e in self.examples)

    @cached_property
    def truths(self) -> tuple[frozenset[tuple[str, int, int]], ...]:
        return tuple(self.spans(i, t) for i, t in enumerate(self.targets))

    @cached_property
    def embeddings(self) -> FloatArray:
        return np.stack([state.mean(axis=0) for state in self.states]).astype(np.float32)

    def spans(self, number: int, columns: NDArray[np.int64]) -> frozenset[tuple[str, int, int]]:
        return frozenset(spans([self.tags[c] for c in columns], self.examples[number].page.line_spans()))


class Head:
    """Multinomial logistic regression over words."""

    def __init__(self, weights: FloatArray) -> None:
        self.weights = weights

    @staticmethod
    def fit(docs: Collection, rows: Sequence[int], start: Head | None = None) -> Head:
        """Fit to the words of some documents, from an earlier head on if there is one."""
        x = np.vstack([docs.states[i] for i in rows]).astype(np.float32)
        x = np.column_stack((x, np.ones(len(x), dtype=np.float32)))
        y = np.concatenate([docs.targets[i] for i in rows])
        shape = (x.shape[1], len(docs.tags))
        hot = np.zeros((len(y), shape[1]), dtype=np.float32)
        hot[np.arange(len(y)), y] = 1

        def loss(flat: FloatArray) -> tuple[float, FloatArray]:
            weights = flat.reshape(shape).astype(np.float32)
            logits = x @ weights
            logits -= logits.max(axis=1, keepdims=True)
            odds = np.exp(logits)
            total = odds.sum(axis=1, keepdims=True)
            value = float((np.log(total[:, 0]) - logits[np.arange(len(y)), y]).sum(dtype=np.float64))
            gradient = x.T @ (odds / total - hot) + _RIDGE * weights
            return value + 0.5 * _RIDGE * float(np.sum(weights**2)), gradient.ravel().astype(np.float64)

        begin = np.zeros(shape).ravel() if start is None else start.weights.ravel().astype(np.float64)
        found = minimize(loss, begin, jac=True, method="L-BFGS-B", options={"maxiter": 60, "ftol": 1e-6})
        return Head(found.x.reshape(shape).astype(np.float32))

    def probabilities(self, states: FloatArray) -> FloatArray:
        logits = states @ self.weights[:-1] + self.weights[-1]
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def f1(docs: Collection, head: Head, rows: Sequence[int]) -> tuple[float, float]:
    """Return micro and macro F1 of the entities of some documents, right only in field and words."""
    hits, given, wanted = Counter[str](), Counter[str](), Counter[str]()
    for i in rows:
        truth = docs.truths[i]
        named = docs.spans(i, head.probabilities(docs.states[i]).argmax(axis=1))
        if docs.tagged_only:
            known = {field for field, _, _ in truth}
            named = frozenset(span for span in named if span[0] in known)
        hits.update(field for field, _, _ in truth & named)
        given.update(field for field, _, _ in named)
        wanted.update(field for field, _, _ in truth)
    each = [2 * hits[field] / (given[field] + wanted[field]) for field in docs.fields if wanted[field]]
    return 2 * hits.total() / max(1, given.total() + wanted.total()), float(np.mean(each))


def corrections(docs: Collection, head: Head, number: int) -> int:
    """Return how many entities a person adds or deletes when shown what the head names."""
    return len(docs.truths[number] ^ docs.spans(number, head.probabilities(docs.states[number]).argmax(axis=1)))


def look(
    docs: Collection,
    head: Head,
    rows: Sequence[int],
    usual: UsualFields,
    cost: ExpectedCost,
    rng: np.random.Generator,
    *,
    power: float = 0.0,
) -> tuple[Pool, list[Signals]]:
    """Return the pool of some documents as the head sees them, and each one's signals.

    A document's scores are sums over its words, divided by their number to the power of ``power``: 1 for the mean.
    """
    lengths = [len(docs.states[i]) for i in rows]
    states = np.vstack([docs.states[i] for i in rows])
    probabilities = head.probabilities(states)
    # A pass leaves out the same inputs for all words: one network of many (Gal and Ghahramani, ICML 2016).
    kept = (rng.random((_PASSES, states.shape[1], 1)) >= _DROPOUT) / (1 - _DROPOUT)
    passes = [Head(np.vstack((head.weights[:-1] * mask, head.weights[-1:]))).probabilities(states) for mask in kept]
    words = {
        "least_confidence": least_confidence(probabilities),
        "margin": margin(probabilities),
        "entropy": entropy(probabilities),
        "disagreement": bald(np.stack(passes)),
    }
    moves = probabilities.copy()
    moves[np.arange(len(moves)), probabilities.argmax(axis=1)] -= 1
    # Fixed directions, so that gradients of all rounds are sketched alike.
    left, right = (
        np.random.default_rng(17).normal(size=(size, _SKETCH)).astype(np.float32) / np.sqrt(size)
        for size in (moves.shape[1], states.shape[1])
    )
    sketched = (moves @ left) * (states @ right)
    signals, gradients, columns = [], [], {name: [] for name in words}  # type: ignore[var-annotated]
    stop = 0
    for i, length in zip(rows, lengths, strict=True):
        start, stop = stop, stop + length
        parts = {name: Aggregate.of(scores[start:stop]) for name, scores in words.items()}
        for name, part in parts.items():
            columns[name].append(part.total / max(1, length) ** power)
        found = {field for tag in probabilities[start:stop].argmax(axis=1) if (field := field_of(docs.tags[tag]))}
        signals.append(
            Signals(
                float((1 - probabilities[start:stop].max(axis=1)).sum()),
                **{name: part.total for name, part in parts.items()},
                reading=sum(1 - line.score for line in docs.examples[i].page.lines),
                missing=usual.expected_missing(found),
            )
        )
        gradients.append(sketched[start:stop].sum(axis=0))
    pool = Pool(
        docs.embeddings[list(rows)],
        **{name: np.array(column) for name, column in columns.items()},
        cost=cost.predict(signals),
        gradients=np.stack(gradients),
    )
    return pool, signals


def real_documents(
    folder: Path, kept: Path, *, tagged_only: bool, rename: Mapping[str, str] | None = None, layer: int = LAYER
) -> Collection:
    """Return a folder's documents as :mod:`benchmarks.finetune` takes them."""
    truth = {
        name: [((rename or {}).get(entity["field"], entity["field"]), entity["text"]) for entity in entities]
        for name, entities in json.loads((folder / "fields.json").read_text(encoding="utf-8")).items()
    }
    pages = read_pages(folder / "images", sorted(truth), kept)
    fields = sorted({field for pairs in truth.values() for field, _ in pairs})
    examples = [Example(page, find(page, truth[name])) for name, page in pages.items()]
    return collect(examples, ["all"] * len(examples), fields, tagged_only, layer)


def skewed_mix(count: int, test: int, seed: int = 0) -> Collection:
    """Return :func:`skewed_documents` with their states."""
    pairs = skewed_documents(count, test, seed)
    fields = sorted({field for e, _ in pairs for tag in e.tags if (field := field_of(tag))})
    return collect([e for e, _ in pairs], [k for _, k in pairs], fields, False)


def skewed_documents(count: int, test: int, seed: int = 0) -> list[tuple[Example, str]]:
    """Return a mix in which most documents teach nothing new, each with its kind.

    Of ``count`` documents 70 % are six cards read again and again, 18 % ordinary cards in Latin script, 8 % a rare
    template (cards in Cyrillic script), 4 % hold a rare field (FAX, on no other). ``test`` more are drawn from the four
    kinds in equal parts: each kind counts alike to those who use what was learned.
    """
    rng = np.random.default_rng(seed)
    fonts = FontSet.find()
    latin = [name for name in LOCALES if not is_cyrillic(name)]
    cyrillic = [name for name in LOCALES if is_cyrillic(name)]
    number = iter(range(20_000_000, 30_000_000))

    def read(card_seed: int, locales: Sequence[str], reading: int) -> Example:
        card = layout_card(card_seed, fonts=fonts, locales=locales)
        page = segment(simulate_reading(card.page, card.tags, np.random.default_rng(reading))[0])
        return Example(page, align(page, *segment_truth(card.page, card.tags)))

    def new(locales: Sequence[str], fax: bool | None) -> Example:
        while True:
            card_seed = next(number)
            example = read(card_seed, locales, card_seed)
            if example.tags and (fax is None or fax == any(tag.endswith("FAX") for tag in example.tags)):
                return example

    def of(kind: str) -> Example:
        if kind == "again":
            return read(19_000_000 + int(rng.choice(again)), latin, next(number))
        return new(cyrillic if kind == "template" else latin, kind == "field")

    shares = {"again": 0.70, "ordinary": 0.18, "template": 0.08, "field": 0.04}
    again = [i for i in range(60) if not any(t.endswith("FAX") for t in read(19_000_000 + i, latin, i).tags)][:6]
    kinds = [kind for kind, share in shares.items() for _ in range(round(share * count) + test // len(shares))]
    examples = [of(kind) for kind in kinds]
    return [(e, k) for e, k in zip(examples, kinds, strict=True) if e.tags]


def collect(
    examples: Sequence[Example], kinds: Sequence[str], fields: Sequence[str], tagged_only: bool, layer: int = LAYER
) -> Collection:
    """Work out the states of documents."""
    raw = hidden_states([example.page for example in examples], layer)
    table = np.vstack(raw)
    middle = table.mean(axis=0)
    drawn = table[np.random.default_rng(0).choice(len(table), min(len(table), 8000), replace=False)] - middle
    _, spread, directions = np.linalg.svd(drawn, full_matrices=False)
    scale = np.sqrt(len(drawn)) / float(np.sqrt((spread[:COMPONENTS] ** 2).mean()))
    axes = directions[:COMPONENTS].T * scale
    states = tuple(((rows - middle) @ axes).astype(np.float32) for rows in raw)
    return Collection(tuple(examples), states, tuple(kinds), tuple(fields), tagged_only)


def hidden_states(pages: Sequence[Page], layer: int, weights: Path = SHIPPED_WEIGHTS) -> list[FloatArray]:
    """Return each page's states after a layer, shape ``(words, hidden)``."""
    model, tokenizer = load_checkpoint(weights)
    model.eval()
    encoder = build_encoder(model.config, tokenizer)
    result = []
    for page in pages:
        windows = encoder.encode(page)
        rows = []
        for window in windows:
            with torch.inference_mode():
                states = model.layoutlmv3(
                    input_ids=torch.from_numpy(window.input_ids)[None],
                    bbox=torch.from_numpy(window.boxes)[None],
                    token_type_ids=torch.from_numpy(window.token_types)[None],
                    attention_mask=torch.ones(1, len(window.input_ids), dtype=torch.long),
                    output_hidden_states=True,
                ).hidden_states[layer][0, : len(window.input_ids)]
            rows.append(np.asarray(states.numpy(), dtype=np.float64))
        result.append(merge(windows, rows, len(page.words)).astype(np.float32))
    return result
