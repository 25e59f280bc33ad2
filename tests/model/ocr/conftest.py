from pathlib import Path

import pytest
import rapidocr

from model.ocr import ENGINES, build_engine


@pytest.fixture(scope="session", params=ENGINES)
def engine(request):
    """Each engine with its default models; loading takes seconds, so it is kept."""
    return build_engine(request.param, models_dir=None, threads=1)


@pytest.fixture(scope="session")
def wheel_models():
    """The folder of the ONNX files that the rapidocr wheel brings."""
    return Path(rapidocr.__file__).parent / "models"
