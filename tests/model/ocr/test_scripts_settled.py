import numpy as np

from model.ocr.engine import TwoStageEngine
from model.ocr.recognised import Recognised
from tests.model.ocr.printing import card


class Mixing:
    """Reads every crop as one line in which look-alike letters are of the wrong script."""

    def __init__(self, text):
        self.text = text

    def recognise(self, crops):
        places = [c for c in self.text if not c.isspace()]
        centres = tuple((i + 0.5) / len(places) for i in range(len(places)))
        return [Recognised(self.text, 0.9, centres) for _ in crops]


class Whole:
    def detect(self, image):
        height, width = image.shape[:2]
        return [((5.0, 5.0), (width - 5.0, 5.0), (width - 5.0, height / 4), (5.0, height / 4))]


def engine(text):
    return TwoStageEngine("test", Whole(), Mixing(text))


def test_a_word_is_read_in_one_script_where_letters_of_two_look_the_same():
    # An o and an a are Latin in the Russian words, a С and an а Cyrillic in the English ones.
    crop = np.asarray(card().image)[:120]
    (russian,) = engine("Москвa Иванoв").recognise([crop])
    assert russian.text == "Москва Иванов"
    (english,) = engine("Сity Bаnk").recognise([crop])
    assert english.text == "City Bank"


def test_a_page_is_read_as_its_lines_are():
    page = engine("Сity Bаnk").read(np.asarray(card().image))
    assert "".join(word.text for word in page.words) == "CityBank"
