import pytest

from tests.model.extraction.checkpoints import save_checkpoint, tiny_model


@pytest.fixture
def checkpoint(tmp_path):
    return save_checkpoint(tmp_path / "tiny", *tiny_model())
