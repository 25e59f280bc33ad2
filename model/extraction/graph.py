"""The ONNX graph of a LayoutLMv3's body, without its weights: ``python -m model.extraction.graph CHECKPOINT``.

The graph depends on the architecture alone. One file of 150 kB therefore serves all versions that were trained from
one another; each brings its weights along when it is opened, and nothing is exported when a version is promoted.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch
from transformers import LayoutLMv3Config, LayoutLMv3Model

from model.extraction.checkpoint import read_config

GRAPHS = Path(__file__).parents[1] / "weights" / "graphs"

logger = logging.getLogger(__name__)

#: What the names of a body's weights begin with.
BODY = "layoutlmv3."
INPUTS = ("input_ids", "bbox", "token_type_ids", "attention_mask")
OUTPUT = "states"

# What the graph depends on. Raise the first when the graph is made otherwise.
_FORMAT = 1
_ARCHITECTURE = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "hidden_act",
    "layer_norm_eps",
    "max_position_embeddings",
    "max_2d_position_embeddings",
    "coordinate_size",
    "shape_size",
    "type_vocab_size",
    "pad_token_id",
    "has_relative_attention_bias",
    "rel_pos_bins",
    "max_rel_pos",
    "has_spatial_attention_bias",
    "rel_2d_pos_bins",
    "max_rel_2d_pos",
    "text_embed",
    "visual_embed",
)


def graph_file(config: LayoutLMv3Config, folder: Path = GRAPHS) -> Path:
    """Return where the graph for an architecture is, or would be; checkpoints that look at images never have one."""
    said = json.dumps([_FORMAT, {name: getattr(config, name) for name in _ARCHITECTURE}], sort_keys=True)
    return folder / f"layoutlmv3-{hashlib.sha256(said.encode()).hexdigest()[:12]}.onnx"


def export(config: LayoutLMv3Config, folder: Path = GRAPHS) -> Path:
    """Write the graph for an architecture, for pages of any number and length.

    Args:
        config: Of a checkpoint that does not look at images.
        folder: Where the graph goes.

    Raises:
        ValueError: If it looks at images.
    """
    import onnx

    if config.visual_embed:
        raise ValueError("only checkpoints that do not look at images have a graph")
    body = LayoutLMv3Model(config)
    for parameter in body.parameters():
        # The exporter keeps equal weights once, as are the biases of a fresh model.
        torch.nn.init.normal_(parameter)
    example = tuple(torch.ones((2, 9, *rest), dtype=torch.long) for rest in ((), (4,), (), ()))
    axes = {name: {0: "pages", 1: "tokens"} for name in (*INPUTS, OUTPUT)}
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = Path(scratch) / "body.onnx"
        torch.onnx.export(
            _States(body).eval(),
            example,
            str(whole),
            input_names=list(INPUTS),
            output_names=[OUTPUT],
            dynamic_axes=axes,
            dynamo=False,
            # Folded constants would be weights under other names.
            do_constant_folding=False,
        )
        graph = onnx.load(str(whole))
    for tensor in graph.graph.initializer:
        _take_out(tensor)
    for node in graph.graph.node:
        node.ClearField("doc_string")
    path = graph_file(config, folder)
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(graph.SerializeToString())
    return path


class _States(torch.nn.Module):
    """A body with its inputs in order and nothing but states as output, as the exporter wants it."""

    def __init__(self, body: torch.nn.Module) -> None:
        super().__init__()
        # The weights' names in the graph follow from this one.
        self.layoutlmv3 = body

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        states: torch.Tensor = self.layoutlmv3(**dict(zip(INPUTS, inputs, strict=True))).last_hidden_state
        return states


def _take_out(tensor: Any) -> None:
    """Leave a weight's name and shape in the graph, and say that its numbers are elsewhere."""
    from onnx import TensorProto

    size = len(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "checkpoint"), ("offset", "0"), ("length", str(size))):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logger.info("wrote %s", export(read_config(parser.parse_args().checkpoint)))


if __name__ == "__main__":
    main()
