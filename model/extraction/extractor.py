"""The extractor: a page in, its entities out."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import LayoutLMv3Config

from model.document.bio import field_of
from model.document.types import Page
from model.errors import WeightsError
from model.extraction.checkpoint import checkpoint_version
from model.extraction.committee import Committee
from model.extraction.decoding import Decoder
from model.extraction.doubts import doubts_of, dropped_passes, no_doubts
from model.extraction.encoder import Body, Runtime, load_split
from model.extraction.extraction import Extraction, entities_of, expected_corrections
from model.extraction.inputs import Encoder, Window, merge, pixel_values

#: Where a checkpoint's configuration keeps what logits are divided by; ``temperature`` would be dropped on loading, as
#: a parameter of text generation.
TEMPERATURE = "calibration_temperature"


class Extractor:
    """LayoutLMv3 for token classification over the words, boxes and, where the checkpoint takes it, the image.

    Safe to share between threads: one forward pass runs at a time.
    """

    def __init__(
        self, body: Body, head: torch.nn.Module, config: LayoutLMv3Config, tokenizer: Tokenizer, *, version: str
    ) -> None:
        self.body, self._head = body, head.eval()
        self._lock = threading.Lock()
        self.version = version
        self.tags = tuple(config.id2label[index] for index in range(config.num_labels))
        self.fields = tuple(dict.fromkeys(tag[2:] for tag in self.tags if field_of(tag) is not None))
        self._temperature = float(getattr(config, TEMPERATURE, 1.0))
        self._hidden = int(config.hidden_size)
        self._image_size = int(config.input_size) if config.visual_embed else 0
        self._encoder = build_encoder(config, tokenizer)
        self.committee = Committee.from_json(getattr(config, "committee", None))
        self._decider = Decoder(self.tags, self.committee)

    @classmethod
    def load(cls, folder: Path, *, threads: int = 0, runtime: Runtime = "torch") -> Extractor:
        """Load a checkpoint: ``config.json``, ``tokenizer.json`` and ``model.safetensors``, packed or not.

        Args:
            folder: Where the files are.
            threads: CPU threads the model may use in this process; 0 leaves the library's own choice.
            runtime: What computes; ``onnx`` gives way to torch, with a warning, for a checkpoint without a graph.

        Raises:
            WeightsError: If a file is missing or damaged, or the checkpoint is no LayoutLMv3 token classifier.
        """
        if threads:
            torch.set_num_threads(threads)
        body, head, config, tokenizer = load_split(folder, threads=threads, runtime=runtime)
        return cls(body, head, config, tokenizer, version=checkpoint_version(folder))

    @property
    def looks_at_images(self) -> bool:
        """Whether :meth:`extract` needs the page's image."""
        return self._image_size > 0

    def extract(self, page: Page, image: NDArray[np.uint8] | None = None) -> Extraction:
        """Name the fields of ``page``.

        Args:
            page: Segmented words (see :mod:`model.extraction.segmentation`).
            image: The upright page, shape ``(height, width, 3)``; needed only by checkpoints that look at it.

        Raises:
            WeightsError: If the checkpoint looks at the image and none is given.
        """
        words = page.words
        windows = self._encoder.encode(page)
        if not windows:
            nothing = np.zeros((0, len(self.tags)))
            return Extraction((), nothing, 0.0, np.zeros(self._hidden, dtype=np.float32), no_doubts())
        passes = [self._forward(window, image) for window in windows]
        logits = merge(windows, [logits for logits, _, _ in passes], len(words))
        embedding = merge(windows, [states for _, states, _ in passes], len(words)).mean(axis=0)
        dropped = merge(windows, [dropped for _, _, dropped in passes], len(words))
        probabilities = self._calibrated(logits)
        entities = entities_of(page, self._decider.decide(page.upright(), probabilities))
        score = 1.0 / (1.0 + expected_corrections(page, probabilities, self.tags, entities))
        samples = self._calibrated(dropped.reshape(len(words), -1, len(self.tags)).swapaxes(0, 1))
        doubts = doubts_of(page, probabilities, samples, self.tags, entities)
        return Extraction(entities, probabilities, score, embedding.astype(np.float32), doubts)

    def states(self, page: Page, image: NDArray[np.uint8] | None = None) -> NDArray[np.float32]:
        """Return what the classifier's head is given for each word; see :meth:`extract` for the arguments.

        Returns:
            Shape ``(words, hidden)``.
        """
        windows = self._encoder.encode(page)
        states = [self._forward(window, image)[1] for window in windows]
        return merge(windows, states, len(page.words)).astype(np.float32)

    def _calibrated(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        scaled = logits / self._temperature
        return np.asarray(np.exp(scaled - np.logaddexp.reduce(scaled, axis=-1, keepdims=True)))

    def _forward(
        self, window: Window, image: NDArray[np.uint8] | None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return the logits and the last hidden states of a window's tokens, and the logits of passes with dropout."""
        inputs: dict[str, NDArray[Any]] = {
            "input_ids": window.input_ids[None],
            "bbox": window.boxes[None],
            "token_type_ids": window.token_types[None],
            "attention_mask": np.ones((1, len(window.input_ids)), dtype=np.int64),
        }
        if self._image_size:
            if image is None:
                raise WeightsError("this checkpoint looks at the page's image, and none was given")
            inputs["pixel_values"] = pixel_values(image, self._image_size)[None]
        with self._lock, torch.inference_mode():
            # The model's two parts one after the other, to have what the second is given.
            states = self.body(inputs)[:, : len(window.input_ids)]
            logits = self._head(states)
            dropped = dropped_passes(self._head, states[0]).permute(1, 0, 2).flatten(1)
        parts = (np.asarray(part.numpy(), dtype=np.float64) for part in (logits[0], states[0], dropped))
        return tuple(parts)  # type: ignore[return-value]


def build_encoder(config: LayoutLMv3Config, tokenizer: Tokenizer) -> Encoder:
    """Return the encoder that fits a checkpoint's configuration."""
    return Encoder(
        tokenizer,
        opening=config.bos_token_id,
        closing=config.eos_token_id,
        # Positions count from the padding token's id + 1 on, as in RoBERTa.
        size=config.max_position_embeddings - config.pad_token_id - 1,
        shapes=bool(getattr(config, "word_shapes", False)),
    )
