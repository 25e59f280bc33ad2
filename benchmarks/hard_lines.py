"""Lines of domains that the shipped recogniser reads badly, on purpose: what corrections are to teach.

- kazakh: Kazakh words and names; nine of the letters are not in the shipped alphabet
- signs: amounts, paragraphs and numbers with «₽ § №» as forms have them, and signs that the alphabet lacks
- dots: dot-matrix print, as of old till rolls, Latin and Cyrillic
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from model.document.images import RgbImage
from model.errors import SyntheticError
from model.recognition.augmentation import augment_crop
from model.recognition.charset import DEFAULT_LANGUAGES, charset_of
from model.synthetic.chance import Chance
from model.synthetic.fonts import FontSet
from model.synthetic.text_lines import draw_line

_KAZAKH = (
    "Қазақстан Республикасы|Алматы қаласы|Нұр-Сұлтан|Өскемен|Ақтөбе облысы|Қарағанды|Шымкент|Түркістан|"
    "Көкшетау|Қызылорда|Әлихан Бөкейхан|Нұрлан Әбдірахманов|Гүлнәр Қасымова|Ержан Өмірбаев|"
    "Айгүл Тұрсынова|Бауыржан Момышұлы|Сәкен Сейфуллин|бас директор|бас есепші|"
    "сату бөлімінің меңгерушісі|жобаның жетекшісі|заңгер|дәрігер|мұғалім|бағдарламашы|құрылысшы|"
    "жауапкершілігі шектеулі серіктестігі|ЖШС «Жеңіс»|«Қазақтелеком» АҚ|«Ұлттық банк»|«Өркен» ЖШС|"
    "«Шаңырақ»|көшесі 25, үй 7|Абай даңғылы, 12-үй|кеңсе 305|ұялы телефон|мекенжайы|электрондық пошта|"
    "жұмыс уақыты|сенбі-жексенбі демалыс|Жібек жолы көшесі|Тәуелсіздік даңғылы|Қабанбай батыр|"
    "Ғылым ордасы|Һәм|ХАЛЫҚ БАНКІ|ҚҰРЫЛЫС КОМПАНИЯСЫ|ӘКІМДІГІ|БІЛІМ ЖӘНЕ ҒЫЛЫМ|ӨНДІРІС ОРНЫ|"
    "ДЕНСАУЛЫҚ САҚТАУ|ТҰРҒЫН ҮЙ|ҮЙ ҚҰРЫЛЫСЫ|ҢҰҒҚ ӘҮӨҺ|төлқұжат нөмірі|қолы, күні|құны 4 500 тг"
)
KAZAKH = tuple(_KAZAKH.split("|"))
_SIGNED = (
    "₽ %#.##|₽ %,###|%#,## ₽|§ %#|§§ %#, %#|§ %#.%|№ %###|№%## от ##.##.20##|№ %#/%#|₸ %,###|%## ₸|⌀ %# мм|⌀%#|"
    "≤ %#|≥ %# %|∑ %,###|≈ %#,#|Ω %##|%# kΩ|π ≈ 3,14|√%#|∞|%#°C|₪ %#|₺ %##|฿ %#|₿ 0,##|%# ‰|℮ %#0 g"
)
SIGNED = tuple(_SIGNED.split("|"))


def kazakh_line(seed: int, fonts: FontSet) -> tuple[RgbImage, str]:
    """Return a line of Kazakh."""
    chance = Chance(np.random.default_rng(seed))
    text = " ".join(chance.some(KAZAKH, 1 if chance.odds(0.7) else 2))
    line = draw_line(seed, fonts=fonts, charset=charset_of(["kazakh"]), text=text)
    return augment_crop(line.image, np.random.default_rng((seed, 1)), 0.6), line.text


def signed_line(seed: int, fonts: FontSet) -> tuple[RgbImage, str]:
    """Return a line of figures with rare signs."""
    chance = Chance(np.random.default_rng(seed))
    while True:
        text = "  ".join(chance.digits(part) for part in chance.some(SIGNED, chance.between(1, 3)))
        try:
            line = draw_line(seed, fonts=fonts, charset=(), text=" ".join(text.split()))
            break
        except SyntheticError:  # no font has all of these signs: other ones
            continue
    return augment_crop(line.image, np.random.default_rng((seed, 1)), 0.6), line.text


def dotted_line(seed: int, fonts: FontSet) -> tuple[RgbImage, str]:
    """Return a line printed with pins: every stroke a row of dots."""
    line = draw_line(seed, fonts=fonts, charset=charset_of(DEFAULT_LANGUAGES), kind="card")
    grey = cv2.cvtColor(line.image, cv2.COLOR_RGB2GRAY)
    height = 15
    small = cv2.resize(
        grey, (max(2, round(grey.shape[1] * height / grey.shape[0])), height), interpolation=cv2.INTER_AREA
    )
    bright = float(np.median(small))
    ink = np.abs(small.astype(np.float32) - bright) > 0.4 * np.abs(small.astype(np.float32) - bright).max()
    pitch = 5
    sheet = np.full((height * pitch, small.shape[1] * pitch), 235, np.uint8)
    for row, column in zip(*np.nonzero(ink), strict=True):
        cv2.circle(sheet, (int(column) * pitch + 2, int(row) * pitch + 2), 2, 60, -1)
    return augment_crop(np.repeat(sheet[..., None], 3, axis=2), np.random.default_rng((seed, 1)), 0.4), line.text


DOMAINS: Mapping[str, Callable[[int, FontSet], tuple[RgbImage, str]]] = {
    "kazakh": kazakh_line,
    "signs": signed_line,
    "dots": dotted_line,
}
