"""The layer that names characters: a matrix over the backbone's features, read with CTC's greedy decoding."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from model.errors import RecogniserError
from model.recognition.ambiguity import path_margin
from model.recognition.context import Context
from model.recognition.graph import FloatArray
from model.recognition.lookalikes import lookalikes

FILE = "recogniser.safetensors"
"""Name of a head's file in the folder of a model version."""

_BLANK = 0
# Lines that are read in one product.
_TOGETHER = 200
_BELOW = "below."
_CONTEXT = tuple(part.name for part in fields(Context))
# How far a new row may lie from its look-alike's, and how unlikely a character without one is at first.
_SPREAD = 0.02


@dataclass(frozen=True, slots=True)
class LineReading:
    """What a head reads on a line.

    Attributes:
        text: In NFC as far as the alphabet is.
        score: Mean of the characters' scores; 0 without characters.
        character_scores: Probability of each character, in ``[0, 1]``.
        margin: How far the least certain decision led: the smallest difference between the most likely character of a
            column and the next one that would have changed the text; in ``[0, 1]``, 0 without columns.
    """

    text: str
    score: float
    character_scores: tuple[float, ...]
    margin: float


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A linear layer with its alphabet.

    Attributes:
        weights: Shape (features, 1 + characters); the first column is CTC's blank.
        bias: Shape (1 + characters,).
        characters: What the columns after the first mean; the space comes last.
        backbone: Digest of the backbone that it reads the features of.
        temperature: What logits are divided by, above 0, so that scores are how often they are right.
        context: A layer before the matrix that looks at neighbours; None for a plain head.
        below: What the backbone's layers were taught, if anything: numbers by their names in its file. The digest stays
            that of the backbone as it came.

    Raises:
        RecogniserError: If shapes and alphabet do not fit.
    """

    weights: FloatArray
    bias: FloatArray
    characters: tuple[str, ...]
    backbone: str
    temperature: float = 1.0
    context: Context | None = None
    below: Mapping[str, FloatArray] = field(default_factory=dict)
    _index: dict[str, int] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        classes = len(self.characters) + 1
        if self.weights.ndim != 2 or self.weights.shape[1] != classes or self.bias.shape != (classes,):
            raise RecogniserError("A recogniser's head does not fit its alphabet.")
        if not self.temperature > 0:
            raise RecogniserError("A recogniser's temperature must be above 0.")
        self._index.update({character: number for number, character in enumerate(self.characters, 1)})

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that change with anything that changes what is read."""
        hashes = hashlib.sha256()
        for part in self._tensors().values():
            hashes.update(np.ascontiguousarray(part, np.float32).tobytes())
        hashes.update("\n".join((*self.characters, self.backbone, f"{self.temperature:.6f}")).encode())
        return hashes.hexdigest()[:12]

    def knows(self, text: str) -> bool:
        """Say whether the head has every character of ``text``."""
        return all(character in self._index for character in text)

    def encode(self, text: str) -> list[int]:
        """Return the column of each character.

        Raises:
            KeyError: If the alphabet lacks one.
        """
        return [self._index[character] for character in text]

    def seen(self, features: FloatArray) -> FloatArray:
        """Return what the matrix reads: the backbone's features, with what their neighbours add."""
        return features if self.context is None else self.context.apply(features)

    def probabilities(self, features: FloatArray) -> FloatArray:
        """Return how likely each character is at each column: shape (columns, 1 + characters), rows sum to 1."""
        logits = (self.seen(features) @ self.weights + self.bias) / self.temperature
        logits -= logits.max(axis=1, keepdims=True)
        np.exp(logits, out=logits)
        return np.asarray(logits / logits.sum(axis=1, keepdims=True), np.float32)

    def read(self, features: FloatArray) -> LineReading:
        """Read a line, taking the most likely character of each column (Graves et al. 2006, best path)."""
        return self._reading(self.probabilities(features))

    def _reading(self, probabilities: FloatArray) -> LineReading:
        if not len(probabilities):
            return LineReading("", 0.0, (), 0.0)
        path = probabilities.argmax(axis=1)
        scores = tuple(float(probabilities[column, path[column]]) for column in _fresh(path))
        mean = float(np.mean(scores)) if scores else 0.0
        return LineReading(self._spelled(path), mean, scores, path_margin(probabilities))

    def read_all(self, lines: Sequence[FloatArray]) -> list[LineReading]:
        """Read many lines as :meth:`read` reads each, in a fraction of the time: one product for many."""
        found = []
        for start in range(0, len(lines), _TOGETHER):
            joined, places = self._joined(lines[start : start + _TOGETHER])
            probabilities = self.probabilities(joined)
            found += [self._reading(probabilities[place]) for place in places]
        return found

    def texts(self, lines: Sequence[FloatArray]) -> list[str]:
        """Return what is read on many lines, without scores."""
        found = []
        for start in range(0, len(lines), _TOGETHER):
            joined, places = self._joined(lines[start : start + _TOGETHER])
            path = (self.seen(joined) @ self.weights + self.bias).argmax(axis=1)
            found += [self._spelled(path[place]) for place in places]
        return found

    def _joined(self, lines: Sequence[FloatArray]) -> tuple[FloatArray, list[slice]]:
        """Return lines one after the other, as far apart as no neighbour sees, and where each of them is."""
        gap = np.zeros((0 if self.context is None else self.context.reach, len(self.weights)), np.float32)
        joined = np.concatenate([part for line in lines for part in (line, gap)])
        ends = np.cumsum([len(line) + len(gap) for line in lines])
        return joined, [
            slice(end - len(gap) - len(line), end - len(gap)) for end, line in zip(ends, lines, strict=True)
        ]

    def _spelled(self, path: NDArray[np.intp]) -> str:
        return "".join(self.characters[path[column] - 1] for column in _fresh(path))

    def narrowed(self, characters: Sequence[str]) -> Head:
        """Return a head for those of ``characters`` that this one knows, in the order given, the space last."""
        wanted = [c for c in dict.fromkeys(characters) if c in self._index and c != " "]
        kept = (*wanted, " ") if " " in self._index else tuple(wanted)
        columns = [_BLANK, *(self._index[c] for c in kept)]
        return replace(self, weights=self.weights[:, columns], bias=self.bias[columns], characters=kept)

    def widened(
        self, characters: Sequence[str], *, source: Head | None = None, rng: np.random.Generator | None = None
    ) -> Head:
        """Return a head that knows ``characters`` too.

        A new column is taken from ``source`` where that knows the character, else from a look-alike that this head
        knows («Р» from "P", «ё» from "e"), slightly apart, else it is the blank's with small noise.

        Args:
            characters: What is to be known; what is known already stays as it is.
            source: Another head on the same backbone, such as the one that the backbone came with.
            rng: For the noise; seeded alike if not given.

        Raises:
            RecogniserError: If ``source`` belongs to another backbone.
        """
        if source is not None and source.backbone != self.backbone:
            raise RecogniserError("The two heads belong to different backbones.")
        rng = np.random.default_rng(0) if rng is None else rng
        new = [c for c in dict.fromkeys(characters) if c not in self._index]
        if not new:
            return self
        spread = _SPREAD * float(self.weights.std())
        columns, biases = [], []
        for character in new:
            given = source if source is not None and character in source._index else None
            if given is not None:
                number = given._index[character]
                columns.append(given.weights[:, number])
                biases.append(given.bias[number])
                continue
            alike = next((c for c in lookalikes(character) if c in self._index), None)
            number = self._index[alike] if alike else _BLANK
            noise = rng.normal(0, spread, len(self.weights)).astype(np.float32)
            columns.append(self.weights[:, number] * (1.0 if alike else 0.0) + noise)
            # Below its look-alike, so that nothing is read otherwise before it is learned.
            biases.append(self.bias[number] - 3.0 if alike else self.bias.min() - 3.0)
        space = [c for c in self.characters if c == " "]
        order = [c for c in (*self.characters, *new) if c != " "] + (space or [c for c in new if c == " "])
        weights = np.concatenate([self.weights, np.stack(columns, axis=1)], axis=1).astype(np.float32)
        bias = np.concatenate([self.bias, np.asarray(biases, np.float32)])
        wide = replace(self, weights=weights, bias=bias.astype(np.float32), characters=(*self.characters, *new))
        picked = [_BLANK, *(wide._index[c] for c in order)]
        return replace(wide, weights=weights[:, picked], bias=wide.bias[picked], characters=tuple(order))

    def save(self, path: Path) -> None:
        """Write the head; same head, same bytes. A folder as ``path`` gets a file named :data:`FILE`."""
        target = path / FILE if path.is_dir() else path
        described = {
            "characters": json.dumps(self.characters, ensure_ascii=False),
            "backbone": self.backbone,
            "temperature": f"{self.temperature:.6f}",
        }
        target.write_bytes(
            save(self._tensors(), metadata={"head": json.dumps(described, ensure_ascii=False, sort_keys=True)})
        )

    def _tensors(self) -> dict[str, FloatArray]:
        tensors = {"weights": self.weights, "bias": self.bias}
        if self.context is not None:
            tensors |= {f"context.{name}": getattr(self.context, name) for name in _CONTEXT}
        tensors |= {f"{_BELOW}{name}": self.below[name] for name in sorted(self.below)}
        return {name: np.ascontiguousarray(values, np.float32) for name, values in tensors.items()}

    @staticmethod
    def load(path: Path) -> Head:
        """Read what :meth:`save` wrote, a file or a folder with it.

        Raises:
            RecogniserError: If it is missing or damaged.
        """
        source = path / FILE if path.is_dir() else path
        try:
            with safe_open(source, framework="numpy") as file:
                described = json.loads(file.metadata()["head"])
                weights = np.asarray(file.get_tensor("weights"), np.float32)
                bias = np.asarray(file.get_tensor("bias"), np.float32)
                context = None
                if f"context.{_CONTEXT[0]}" in file.keys():  # noqa: SIM118 - no mapping
                    context = Context(
                        *(np.asarray(file.get_tensor(f"context.{name}"), np.float32) for name in _CONTEXT)
                    )
                below = {
                    name.removeprefix(_BELOW): np.asarray(file.get_tensor(name), np.float32)
                    for name in file.keys()  # noqa: SIM118 - no mapping
                    if name.startswith(_BELOW)
                }
            characters = tuple(str(c) for c in json.loads(described["characters"]))
            temperature = float(described["temperature"])
            return Head(weights, bias, characters, str(described["backbone"]), temperature, context, below)
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise RecogniserError(f"{source} is no recogniser's head, or damaged.") from error


def _fresh(path: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the columns at which a character begins."""
    if not len(path):
        return np.zeros(0, np.intp)
    return np.flatnonzero((path != _BLANK) & np.concatenate(([True], path[1:] != path[:-1])))
