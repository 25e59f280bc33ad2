"""Small pictures of documents, wherever their images are kept."""

import io

from PIL import Image

from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.learn.sample_files import SampleFolder
from tests.conftest import card_png
from tests.ml_backend.backend import RECTANGLES


def test_the_place_of_a_correction_is_shown_on_an_image_that_came_with_feedback(panel, settings):
    folder = SampleFolder(settings.training_data_dir)
    address = folder.address(7, folder.keep_image(7, card_png("Maria Petrova")))
    part = panel.pictures.crop(1, -1, {"image": address}, parse_label_config(RECTANGLES), (40, 40, 300, 80))
    shown = Image.open(io.BytesIO(part)).convert("L")
    assert shown.size == (260 + 2 * 24, 40 + 2 * 24)
    assert min(shown.tobytes()) < 80, "there is print on it"
