"""The small model of one project: it learns in seconds, from the first annotated document on.

It is a logistic regression over what stands on the page, on top of what was known before: the network's opinion and
what the fields' names say. With no document it repeats these; with each document it departs from them where the
document contradicts, and the fewer there are the less (a Gaussian prior around the opinion that it starts from).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix, hstack, vstack

from model.document.bio import field_of
from model.document.types import Page
from model.extraction.field_concepts import Concept
from model.extraction.word_features import word_features
from model.extraction.zero_shot import field_evidence, vetoes

FloatArray = NDArray[np.float64]

#: Tag of a word of which nobody said what it is.
IGNORED = "?"
#: From so many documents on it can be checked, by leaving some out, whether a head helps; where the network knows all
#: fields, it takes as many as make up the second number to be better than it is (`benchmarks/RESULTS.md`).
_LEAST_CHECKED, FEW = 3, 10

_MOST_ITERATIONS, _TOLERANCE = 60, 1e-5
# Log odds of the network are believed up to this: it is surer of itself than it is right on documents of other kinds.
_CLIP = 6.0
# How firmly weights are held at zero (the inverse of a Gaussian prior's variance); and those of the numbers and the
# constant so many times more, divided by the number of documents. Chosen on half of 150 receipts and half of 102 cards.
_HELD, _FIRM = 4.0, 30.0
# Pages are worded alike that share so many lines of so many letters, and such a share of the shorter page's lines.
_LEAST_SHARED, _LEAST_LETTERS, _ALIKE = 3, 4, 0.3


@dataclass(frozen=True, slots=True)
class View:
    """What is known of a page before the project's own documents are asked.

    Attributes:
        page: Segmented words.
        features: Shape ``(words, features)``.
        prior: Shape ``(words, fields)``: log odds of each field against none.
        dense: Shape ``(words, numbers)``: what the network thinks, for what it is worth.
        begin, inside: Shape ``(words, fields)`` each: the network's probabilities that a value of the field begins with
            the word, or goes on with it; 0 for fields that it does not know.
    """

    page: Page
    features: csr_matrix
    prior: FloatArray
    dense: FloatArray
    begin: FloatArray
    inside: FloatArray


@dataclass(frozen=True, slots=True)
class ProjectFields:
    """The fields of a project, and how they hang together with those of the network.

    Attributes:
        fields: Names, in the order of the columns.
        concepts: What the names of those say that the network does not know.
        rename: Fields of the network that are part of another one in this project.
    """

    fields: tuple[str, ...]
    concepts: Mapping[str, Concept]
    rename: Mapping[str, str]

    @property
    def least_checked(self) -> int:
        """From how many documents on it can be checked, by leaving some out, whether a head helps."""
        return _LEAST_CHECKED if self.concepts else FEW

    def view(self, page: Page, probabilities: FloatArray, tags: Sequence[str]) -> View:
        """Return what is known of a page.

        Args:
            page: Segmented words.
            probabilities: Shape ``(words, tags)``: the network's; rows sum to 1.
            tags: The tag of each column.
        """
        page = page.upright()
        begin, inside = (np.zeros((len(page.words), len(self.fields))) for _ in range(2))
        columns = {field: index for index, field in enumerate(self.fields)}
        for column, tag in enumerate(tags):
            field = field_of(tag)
            field = field if field in columns else self.rename.get(field or "", "")
            if field in columns and field not in self.concepts:
                (begin if tag.startswith("B-") else inside)[:, columns[field]] += probabilities[:, column]
        mass = begin + inside
        rest = np.maximum(1.0 - mass.sum(axis=1, keepdims=True), 1e-6)
        prior = np.clip(np.log(np.maximum(mass, 1e-6) / rest), -_CLIP, _CLIP)
        prior += vetoes(page, self.fields)
        if self.concepts:
            prior[:, [columns[name] for name in self.concepts]] = field_evidence(page, self.concepts)
        dense = np.log(np.maximum(probabilities, 1e-4)) / 4.0
        return View(page, word_features(page), prior, dense, begin, inside)


@dataclass(frozen=True, slots=True)
class ProjectHead:
    """Names words by weights that a project's documents gave.

    Attributes:
        fields: Names, in the order of the columns after "none".
        columns: Features that have weights.
        weights: Shape ``(len(columns) + numbers, fields + 1)``, see :func:`fit`.
        anchors: Lines of print of pages: the head speaks only on pages that share enough of them with one. Empty where
            it speaks on all.
    """

    fields: tuple[str, ...]
    columns: NDArray[np.int64]
    weights: FloatArray
    anchors: tuple[frozenset[str], ...] = ()

    def anchored(self, pages: Iterable[Page]) -> ProjectHead:
        """Return the head that speaks only on pages worded like one of these."""
        return replace(self, anchors=tuple(_lines(page) for page in pages))

    def speaks_on(self, page: Page) -> bool:
        """Tell whether it has anything to say on a page."""
        return not self.anchors or any(_alike(page, anchor) for anchor in self.anchors)

    def probabilities(self, view: View) -> FloatArray:
        """Return the probability of each field for each word, shape ``(words, fields + 1)``; none comes first."""
        return softmax(_inputs(view, self.columns) @ self.weights + _offset(view.prior))


def zero(fields: Sequence[str]) -> ProjectHead:
    """Return the head that repeats what was known before."""
    return ProjectHead(tuple(fields), np.zeros(0, dtype=np.int64), np.zeros((0, len(fields) + 1)))


def fit(fields: Sequence[str], views: Sequence[View], tags: Sequence[Sequence[str]]) -> ProjectHead:
    """Fit a head to annotated pages.

    Weights belong to the features that occur, then to the numbers of :attr:`View.dense` and :attr:`View.prior` and to a
    constant. The fewer documents, the firmer the latter are held: they speak of every word.

    Args:
        fields: Names.
        views: Of the pages, at least one.
        tags: A BIO tag for each word of each page; those of other fields are outside, and
            :data:`IGNORED` ones say nothing.
    """
    places = {field: index + 1 for index, field in enumerate(fields)}
    said = [tag for page in tags for tag in page]
    targets = np.array([places.get(field_of(tag) or "", 0) for tag in said])
    weight = np.array([[float(tag != IGNORED)] for tag in said])
    features = vstack([view.features for view in views]).tocsc()
    columns = np.flatnonzero(np.diff(features.indptr))
    inputs = vstack([_inputs(view, columns) for view in views]).tocsr()
    offset = _offset(np.concatenate([view.prior for view in views]))
    classes = len(fields) + 1
    wanted = np.eye(classes)[targets]
    turned = inputs.T.tocsr()
    held = np.full((inputs.shape[1], 1), _HELD)
    held[len(columns) :] *= max(1.0, _FIRM / len(views))

    def loss(flat: FloatArray) -> tuple[float, FloatArray]:
        weights = flat.reshape(-1, classes)
        scores = inputs @ weights + offset
        logs = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)
        value = -(weight * wanted * logs).sum() + 0.5 * (held * weights**2).sum()
        slope = turned @ (weight * (np.exp(logs) - wanted)) + held * weights
        return float(value), np.asarray(slope).ravel()

    start = np.zeros(inputs.shape[1] * classes)
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _MOST_ITERATIONS, "ftol": _TOLERANCE}
    ).x
    return ProjectHead(tuple(fields), columns, found.reshape(-1, classes))


def softmax(scores: FloatArray) -> FloatArray:
    """Return rows that sum to 1."""
    return np.asarray(np.exp(scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)))


def _offset(prior: FloatArray) -> FloatArray:
    return np.concatenate((np.zeros((len(prior), 1)), prior), axis=1)


def _inputs(view: View, columns: NDArray[np.int64]) -> csr_matrix:
    if not len(columns):
        return csr_matrix((len(view.page.words), 0))
    bias = np.ones((len(view.page.words), 1))
    dense = np.concatenate((view.dense, view.prior / 4.0, bias), axis=1)
    return hstack([view.features[:, columns], csr_matrix(dense)]).tocsr()


def _lines(page: Page) -> frozenset[str]:
    """Return the lines of a page by their letters; those with hardly any are left out."""
    letters = ("".join(c for c in line.text.casefold() if c.isalpha()) for line in page.lines)
    return frozenset(line for line in letters if len(line) >= _LEAST_LETTERS)


def _alike(page: Page, anchor: frozenset[str]) -> bool:
    """Tell whether a page is worded like another one, as forms of one origin are."""
    lines = _lines(page)
    shared = len(lines & anchor)
    return shared >= _LEAST_SHARED and shared >= _ALIKE * min(len(lines), len(anchor))
