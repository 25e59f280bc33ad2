"""The large part of a checkpoint, from tokens to hidden states: computed by torch or, quicker on a CPU, ONNX Runtime.

Whatever tags it tells apart, the body is the same; the head on top of it is a thousandth of the model, and torch's.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import LayoutLMv3Config, LayoutLMv3ForTokenClassification

from model.extraction.checkpoint import fill, load_checkpoint, read_config, read_tokenizer
from model.extraction.graph import BODY, OUTPUT, graph_file

Runtime = Literal["onnx", "torch"]
"""What computes hidden states."""

logger = logging.getLogger(__name__)


class Body(Protocol):
    """Computes hidden states."""

    def __call__(self, inputs: Mapping[str, NDArray[Any]]) -> torch.Tensor:
        """Return the last hidden states, shape ``(pages, tokens, hidden)``; those of image patches come last.

        Args:
            inputs: LayoutLMv3's by name, each of shape ``(pages, tokens, …)``; ``pixel_values`` where it looks.
        """


class TorchEncoder:
    """A body in torch."""

    def __init__(self, body: torch.nn.Module) -> None:
        self._body = body.eval()

    def __call__(self, inputs: Mapping[str, NDArray[Any]]) -> torch.Tensor:
        """Return the last hidden states; see :class:`Body`."""
        tensors = {name: torch.from_numpy(value) for name, value in inputs.items()}
        return torch.as_tensor(self._body(**tensors).last_hidden_state)


class OnnxEncoder:
    """A body in ONNX Runtime: a graph without weights, filled with a checkpoint's when it is opened.

    Args:
        graph: What :func:`model.extraction.graph.export` wrote for the checkpoint's architecture.
        weights: The checkpoint's tensors by name; those of the head are passed over.
        threads: CPU threads; 0 takes all cores.
    """

    def __init__(self, graph: Path, weights: Mapping[str, torch.Tensor], *, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # Threads that spin while they wait would take the cores from the reading of the next page.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        body = {name: tensor for name, tensor in weights.items() if name.startswith(BODY)}
        # The session holds on to those that it goes on using, and lets go of the others.
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(_plain(tensor)) for tensor in body.values()]
        options.add_external_initializers(list(body), values)
        self._session = onnxruntime.InferenceSession(graph.read_bytes(), options, providers=["CPUExecutionProvider"])

    def __call__(self, inputs: Mapping[str, NDArray[Any]]) -> torch.Tensor:
        """Return the last hidden states; see :class:`Body`."""
        return torch.from_numpy(self._session.run([OUTPUT], dict(inputs))[0])


def load_split(
    folder: Path, *, threads: int, runtime: Runtime
) -> tuple[Body, torch.nn.Module, LayoutLMv3Config, Tokenizer]:
    """Load a checkpoint in two parts.

    Args:
        folder: Where its files are.
        threads: CPU threads for ONNX Runtime; 0 takes all cores.
        runtime: What computes the body. Where ONNX Runtime cannot, torch does, and a warning says so.

    Returns:
        Body, head, configuration, tokenizer.

    Raises:
        WeightsError: If a file is missing or damaged, or the checkpoint is no LayoutLMv3 token classifier.
    """
    config = read_config(folder)
    if runtime == "onnx":
        graph = graph_file(config)
        if graph.is_file():
            # On "meta" nothing is filled with chance first, and no second body takes up memory.
            with torch.device("meta"):
                model = LayoutLMv3ForTokenClassification(config)
            weights = fill(model, folder)
            try:
                return OnnxEncoder(graph, weights, threads=threads), model.classifier, config, read_tokenizer(folder)
            except Exception:  # ONNX Runtime's errors have nothing else in common
                logger.warning("ONNX Runtime cannot open %s with the weights in %s", graph, folder, exc_info=True)
        else:
            logger.warning("there is no ONNX graph for the architecture in %s: torch computes, more slowly", folder)
    model, tokenizer = load_checkpoint(folder)
    return TorchEncoder(model.layoutlmv3), model.classifier, config, tokenizer


def _plain(tensor: torch.Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(tensor.numpy(), dtype=np.float32)
