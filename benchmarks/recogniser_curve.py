"""How much a few corrected lines teach, in domains made hard on purpose, and what is forgotten meanwhile.

    python -m benchmarks.recogniser_curve [--domains kazakh dots] [--sizes 0 10 25 50 100 200] [--seeds 5] [--budget S]

For each seed, lines of the domain are drawn; so many of them are «corrected», a fifth of these kept to tell when to
stop, as a training run does. Printed are the CER of 150 other lines of the domain, by how many points the CER of the
shipped lines rose that show what was forgotten, and the seconds of training; features are made before, once a line.

- kazakh: Kazakh words and names; nine of the letters are not in the shipped alphabet
- dots: dot-matrix print, as of old till rolls, Latin and Cyrillic
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable

import cv2
import numpy as np

from model.images import RgbImage
from model.ocr.files import recogniser_file
from model.recognition.augmentation import augment_crop
from model.recognition.backbone import Backbone
from model.recognition.charset import DEFAULT_LANGUAGES, charset_of
from model.recognition.lines import FeatureLine
from model.recognition.measuring import measure, pooled
from model.recognition.replay import LEARNING, MEASURING, load_replay
from model.recognition.shipped import shipped_head
from model.recognition.training import HeadPlan, train_head
from model.synthetic.chance import Chance
from model.synthetic.fonts import FontSet
from model.synthetic.text_lines import draw_line

TESTED = 150

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


def kazakh_line(seed: int, fonts: FontSet) -> tuple[RgbImage, str]:
    """Return a line of Kazakh."""
    chance = Chance(np.random.default_rng(seed))
    text = " ".join(chance.some(KAZAKH, 1 if chance.odds(0.7) else 2))
    line = draw_line(seed, fonts=fonts, charset=charset_of(["kazakh"]), text=text)
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


DOMAINS: dict[str, Callable[[int, FontSet], tuple[RgbImage, str]]] = {"kazakh": kazakh_line, "dots": dotted_line}


def main() -> None:
    """Train and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--domains", nargs="+", default=list(DOMAINS), choices=DOMAINS)
    parser.add_argument("--sizes", nargs="+", type=int, default=[0, 10, 25, 50, 100, 200])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--budget", type=float, default=30.0, help="seconds of training")
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    onnx_file = recogniser_file(None)
    if onnx_file is None:
        raise SystemExit("rapidocr brings no recogniser")
    backbone = Backbone(onnx_file, options.threads)
    fonts = FontSet.find()
    head = shipped_head()
    replay, guard = (load_replay(kind, backbone.digest) for kind in (LEARNING, MEASURING))
    kept = pooled(measure(head, guard)).cer
    print("| domain | corrected lines | CER | forgotten, in points | seconds |\n|---|---:|---:|---:|---:|")
    for name in options.domains:
        results: dict[int, list[tuple[float, float, float]]] = {size: [] for size in options.sizes}
        for seed in range(options.seeds):
            drawn = [DOMAINS[name](600_000 + 1000 * seed + n, fonts) for n in range(TESTED + max(options.sizes))]
            lines = [FeatureLine(backbone.features([image])[0], text) for image, text in drawn]
            tested, corrected = lines[:TESTED], lines[TESTED:]
            for size in options.sizes:
                taught, seconds = head, 0.0
                if size:
                    mine = corrected[:size]
                    valid, train = mine[: size // 5], mine[size // 5 :]
                    wide = head.widened(charset_of((), texts=[line.text for line in mine]), source=backbone.original)
                    plan = HeadPlan(budget_seconds=options.budget, seed=seed)
                    done = train_head(wide, train, valid, replay, plan)
                    taught, seconds = done.head, done.seconds
                lost = 100 * (pooled(measure(taught, guard)).cer - kept)
                results[size].append((100 * pooled(measure(taught, tested)).cer, lost, seconds))
        for size, rows in results.items():
            cer, lost, seconds = (statistics.mean(column) for column in zip(*rows, strict=True))
            low, high = min(row[0] for row in rows), max(row[0] for row in rows)
            print(f"| {name} | {size} | {cer:.2f} % ({low:.2f}–{high:.2f}) | {lost:+.2f} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
