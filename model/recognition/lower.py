"""The layers below the head that can be taught in torch: the neck, or all of them, from the prepared image on."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import onnx
import onnxruntime
import torch

from model.document.images import RgbImage
from model.errors import RecogniserError
from model.recognition.backbone import HEIGHT, Backbone, LineFeatures, prepare
from model.recognition.graph import FloatArray
from model.recognition.head import Head
from model.recognition.lines import FeatureLine
from model.recognition.neck import find_neck, neck_module, whole_module
from model.recognition.torch_graph import GraphModule

if TYPE_CHECKING:
    from model.recognition.native import NativeRecogniser

Depth = Literal["neck", "all"]

_TOGETHER = 16


class Lower:
    """Layers below the head, in torch.

    Args:
        backbone: Whose layers they are, as it came.
        depth: ``neck``, or ``all``: transformers' own model where it is built alike (PP-OCRv6 small), else the graph.

    Attributes:
        sight: What enters them, of crops.
        module: The layers: shape (lines, channels, height, columns) to (lines, columns, features).

    Raises:
        RecogniserError: If the recogniser has no neck, or is made of what is not known.
    """

    def __init__(self, backbone: Backbone, depth: Depth) -> None:
        self.depth = depth
        self.sight: LineFeatures = _Trunk(backbone) if depth == "neck" else _Pixels()
        self.module: GraphModule | NativeRecogniser = (
            neck_module(backbone.model) if depth == "neck" else _whole(backbone.model)
        )
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.module.to(self.device)
        self._as_it_came = self.module.tensors()

    def entering(self, lines: Sequence[FloatArray]) -> torch.Tensor:
        """Return what enters for lines of one width."""
        stacked = torch.from_numpy(np.stack(lines).astype(np.float32)).to(self.device).permute(0, 2, 1)
        height = 1 if self.depth == "neck" else HEIGHT
        return stacked.reshape(len(lines), -1, height, stacked.shape[2])

    def become(self, below: Mapping[str, FloatArray]) -> None:
        """Take the numbers that were taught with a head; none are those of the file."""
        self.module.take(self._as_it_came | {name: below[name] for name in below if name in self._as_it_came})

    def taught(self) -> dict[str, FloatArray]:
        """Return the numbers that differ from the file's."""
        return {
            name: values
            for name, values in self.module.tensors().items()
            if not np.array_equal(values, self._as_it_came[name])
        }

    def seen(self, lines: Sequence[FeatureLine], head: Head) -> list[FeatureLine]:
        """Return lines as a head sees them through the layers that were taught with it."""
        self.become(head.below)
        found = list(lines)
        with torch.no_grad():
            for numbers in of_one_width(lines, _TOGETHER):
                leaving = self.module(self.entering([lines[number].features for number in numbers])).cpu().numpy()
                for number, features in zip(numbers, leaving, strict=True):
                    found[number] = replace(lines[number], features=features)
        return found


def of_one_width(lines: Sequence[FeatureLine], most: int, rng: np.random.Generator | None = None) -> list[list[int]]:
    """Return the numbers of lines in groups of one width, at most ``most`` in each, by chance if ``rng`` is given."""
    order = range(len(lines)) if rng is None else [int(number) for number in rng.permutation(len(lines))]
    widths: dict[int, list[int]] = defaultdict(list)
    for number in order:
        widths[len(lines[number].features)].append(number)
    groups = [group[start : start + most] for group in widths.values() for start in range(0, len(group), most)]
    return groups if rng is None else [groups[int(number)] for number in rng.permutation(len(groups))]


def _whole(model: onnx.ModelProto) -> GraphModule | NativeRecogniser:
    from model.recognition.native import NativeRecogniser

    try:
        return NativeRecogniser(model)
    except RecogniserError:
        return whole_module(model)


class _Trunk:
    """What the layers below the neck make of crops."""

    def __init__(self, backbone: Backbone) -> None:
        neck = find_neck(backbone.model)
        bare = onnx.ModelProto()
        bare.CopyFrom(backbone.model)
        del bare.graph.output[:]
        bare.graph.output.append(onnx.helper.make_tensor_value_info(neck.entering, onnx.TensorProto.FLOAT, None))
        self.digest = hashlib.sha256(f"{backbone.digest} neck".encode()).hexdigest()[:12]
        self._session = onnxruntime.InferenceSession(bare.SerializeToString(), providers=["CPUExecutionProvider"])

    def features(self, crops: Sequence[RgbImage]) -> list[FloatArray]:
        name = self._session.get_inputs()[0].name
        made = [self._session.run(None, {name: prepare(crop)})[0][0] for crop in crops]
        if any(each.shape[1] != 1 for each in made):
            raise RecogniserError("This recogniser's neck looks at rows as well: teach its head alone.")
        return [np.ascontiguousarray(each[:, 0].T, np.float32) for each in made]


class _Pixels:
    """The prepared crops themselves, a column of all three colours a row."""

    digest = "pixels-48"

    def features(self, crops: Sequence[RgbImage]) -> list[FloatArray]:
        return [np.ascontiguousarray(prepare(crop)[0].reshape(3 * HEIGHT, -1).T) for crop in crops]
