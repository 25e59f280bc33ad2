"""The part of a recogniser that is kept: from crops to features, on ONNX Runtime."""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from model.document.images import RgbImage
from model.errors import RecogniserError
from model.recognition.graph import FloatArray, alphabet_of, with_numbers, without_head
from model.recognition.head import Head

HEIGHT = 48
"""Height in pixels to which a crop is scaled."""

LEAST_WIDTH, MOST_WIDTH = 160, 3200
"""Shorter crops are padded with grey, longer ones squeezed: what the engines do, so that features are the same."""


class LineFeatures(Protocol):
    """What something sees of crops, and a name for it, by which it can be kept."""

    @property
    def digest(self) -> str:
        """Changes with anything that changes what is seen."""
        ...

    def features(self, crops: Sequence[RgbImage]) -> list[FloatArray]:
        """Return shape (columns, values) a crop."""
        ...


class Backbone:
    """The layers below the CTC head of a PP-OCR recogniser.

    Args:
        onnx_file: The recogniser, of any version with a CTC head.
        threads: CPU threads; 0 takes all cores.
        alphabet: Its characters without blank and space, where the file itself does not carry them.

    Raises:
        RecogniserError: If it is no ONNX file, has no CTC head, or its alphabet is unknown or does not fit.
    """

    def __init__(self, onnx_file: Path, threads: int = 0, alphabet: Sequence[str] | None = None) -> None:
        try:
            data = onnx_file.read_bytes()
            model = onnx.load_model_from_string(data)
        except Exception as error:
            # protobuf's own error classes differ between its implementations.
            raise RecogniserError(f"{onnx_file} is no ONNX model that can be loaded.") from error
        bare, self._head = without_head(model)
        self._alphabet = alphabet_of(model) or (tuple(alphabet) if alphabet else None)
        self.digest = self._own = _digest_without_head(bare)
        self.model, self._bare, self._threads = model, bare, threads

    def under(self, head: Head) -> Backbone:
        """Return the backbone as a head needs it: with the layers that were taught together with the head, if any.

        Raises:
            RecogniserError: If it was taught with another backbone.
        """
        if not head.below:
            return self
        taught = copy.copy(self)
        taught.__dict__.pop("_session", None)
        taught.model, taught._bare = (with_numbers(each, head.below) for each in (self.model, self._bare))
        taught.digest = _digest_without_head(taught._bare)
        return taught

    @cached_property
    def original(self) -> Head:
        """The head that the file came with.

        Raises:
            RecogniserError: If its alphabet is unknown, or of another length than the head.
        """
        if self._alphabet is None:
            raise RecogniserError("The recogniser's alphabet is unknown: put inference.yml beside the ONNX file.")
        classes = self._head.weights.shape[1]
        characters = (*self._alphabet, " ") if classes == len(self._alphabet) + 2 else self._alphabet
        if classes != len(characters) + 1:
            raise RecogniserError(
                f"The recogniser names {classes} classes, its alphabet {len(self._alphabet)} characters: "
                "they belong to different models."
            )
        return Head(self._head.weights, self._head.bias, characters, self._own)

    @cached_property
    def _session(self) -> onnxruntime.InferenceSession:
        # Opened when first needed: who wants the head alone is spared it.
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.enable_cpu_mem_arena = False
        options.intra_op_num_threads = self._threads
        return onnxruntime.InferenceSession(self._bare.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def features(self, crops: Sequence[RgbImage]) -> list[FloatArray]:
        """Return what the head sees of each crop: shape (columns, features), a column for eight pixels or so."""
        # One at a time, as the engines read: a batch would be padded, and padding changes what is seen.
        name = self._session.get_inputs()[0].name
        return [np.asarray(self._session.run(None, {name: prepare(crop)})[0][0], np.float32) for crop in crops]


def prepare(crop: RgbImage) -> NDArray[np.float32]:
    """Return a crop as the network takes it: shape (1, 3, 48, width), blue first, from -1 to 1, grey at the right."""
    height, width = crop.shape[:2]
    ratio = width / height
    room = int(HEIGHT * max(LEAST_WIDTH / HEIGHT, ratio))
    room = min(room, MOST_WIDTH)
    taken = min(room, math.ceil(HEIGHT * ratio))
    scaled = cv2.resize(np.ascontiguousarray(crop[:, :, ::-1]), (taken, HEIGHT))
    pixels = np.zeros((1, 3, HEIGHT, room), np.float32)
    pixels[0, :, :, :taken] = (scaled.astype(np.float32).transpose(2, 0, 1) / 255 - 0.5) / 0.5
    return pixels


def _digest_without_head(bare: onnx.ModelProto) -> str:
    """Return twelve hexadecimal digits that name the layers below the head, whatever head the file carries."""
    hashes = hashlib.sha256()
    for node in bare.graph.node:
        hashes.update(f"{node.op_type}:{len(node.input)};".encode())
    for tensor in bare.graph.initializer:
        hashes.update(tensor.SerializeToString(deterministic=True))
    return hashes.hexdigest()[:12]
