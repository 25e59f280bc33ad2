import logging

import numpy as np
import pytest

from model.extraction import encoder as bodies
from model.extraction.checkpoint import load_checkpoint, read_config
from model.extraction.encoder import OnnxEncoder, TorchEncoder, load_split
from model.extraction.extractor import Extractor
from model.extraction.graph import INPUTS, export, graph_file
from model.extraction.packing import load_weights
from model.extraction.widening import widen
from model.pipeline import SHIPPED_WEIGHTS
from tests.model.extraction.checkpoints import tiny_model
from tests.model.extraction.test_extractor import PAGE, page_of

CARD = page_of(["Maria", "Petrova"], ["Head", "of", "Sales"], ["Tel.", "+49", "30", "901820"], ["maria@example.com"])


@pytest.mark.parametrize("shape", [(1, 2), (1, 30), (3, 11)], ids=["empty", "long", "batch"])
def test_a_graph_filled_with_weights_gives_the_states_that_torch_gives(checkpoint, tmp_path, shape):
    graph = export(read_config(checkpoint), tmp_path / "graphs")
    onnx = OnnxEncoder(graph, load_weights(checkpoint / "model.safetensors"), threads=1)
    rng = np.random.default_rng(1)
    corners = np.sort(rng.integers(0, 1001, (*shape, 2, 2)), axis=-2).reshape(*shape, 4)
    ids, types = rng.integers(2, 90, shape), rng.integers(0, 8, shape)
    inputs = dict(zip(INPUTS, (ids, corners, types, np.ones(shape, dtype=np.int64)), strict=True))
    inputs["attention_mask"][-1, shape[1] // 2 :] = 0
    expected = TorchEncoder(load_checkpoint(checkpoint)[0].layoutlmv3)(inputs).detach().numpy()
    assert np.abs(onnx(inputs).numpy() - expected).max() < 1e-5


def test_a_graph_takes_little_room_because_it_holds_no_weights():
    assert graph_file(read_config(SHIPPED_WEIGHTS)).stat().st_size < 200_000


def test_the_shipped_weights_say_the_same_with_either_runtime():
    torch, onnx = (Extractor.load(SHIPPED_WEIGHTS, runtime=runtime) for runtime in ("torch", "onnx"))
    assert isinstance(onnx.body, OnnxEncoder)
    assert onnx.version == torch.version
    for page in (CARD, PAGE, page_of(*[["Sales", "Office", "12"]] * 150)):
        one, other = torch.extract(page), onnx.extract(page)
        assert [(e.field, e.text) for e in one.entities] == [(e.field, e.text) for e in other.entities]
        assert np.abs(one.probabilities - other.probabilities).max() < 1e-4
        assert other.score == pytest.approx(one.score, abs=1e-4)
        assert np.abs(one.embedding - other.embedding).max() < 1e-4
        assert np.abs(one.doubts.disagreement - other.doubts.disagreement).max() < 1e-4
        assert np.abs(torch.states(page) - onnx.states(page)).max() < 1e-4


def test_versions_with_other_fields_share_a_graph_and_other_architectures_do_not():
    model, _ = tiny_model()
    before = graph_file(model.config)
    widen(model, ("NAME", "TICKET"), seed=0)
    assert graph_file(model.config) == before
    assert graph_file(tiny_model(positions=128)[0].config) != before
    assert graph_file(tiny_model(image_size=32)[0].config) != before
    with pytest.raises(ValueError, match="images"):
        export(tiny_model(image_size=32)[0].config)


def test_torch_takes_over_with_a_warning_where_an_architecture_has_no_graph(checkpoint, caplog):
    with caplog.at_level(logging.WARNING):
        body, *_ = load_split(checkpoint, threads=1, runtime="onnx")
    assert isinstance(body, TorchEncoder)
    assert "no ONNX graph" in caplog.text


def test_torch_takes_over_with_a_warning_where_a_graph_cannot_be_opened(checkpoint, caplog, monkeypatch):
    shipped = graph_file(read_config(SHIPPED_WEIGHTS))
    monkeypatch.setattr(bodies, "graph_file", lambda _: shipped)
    with caplog.at_level(logging.WARNING):
        extraction = Extractor.load(checkpoint, runtime="onnx").extract(PAGE)
    assert "cannot open" in caplog.text
    assert np.array_equal(extraction.probabilities, Extractor.load(checkpoint).extract(PAGE).probabilities)
