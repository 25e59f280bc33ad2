"""Rendered lines turned into features, in shards that a run can go on from: what the shipped head is trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from model.document.images import RgbImage
from model.recognition.augmentation import augment_crop
from model.recognition.backbone import Backbone
from model.recognition.charset import DEFAULT_LANGUAGES, charset_of
from model.recognition.lines import FeatureLine, load_lines, save_lines
from model.recognition.scripts import settled
from model.synthetic.fonts import FontSet
from model.synthetic.text_lines import cyrillic_share, draw_line

SHARD = 250
"""Lines a file."""

CYRILLIC_SHARE = 0.5

FIRST_TRAINING_SEED = 10_000_000
FIRST_MEASURING_SEED = 9_000_000


def rendered_crop(seed: int, fonts: FontSet) -> tuple[RgbImage, str, str]:
    """Return a drawn and changed line, what it says, and its language."""
    charset = charset_of(DEFAULT_LANGUAGES)
    line = draw_line(seed, fonts=fonts, charset=charset, locales=cyrillic_share(CYRILLIC_SHARE))
    return augment_crop(line.image, np.random.default_rng((seed, 1))), settled(line.text), line.language


def rendered_lines(backbone: Backbone, fonts: FontSet, seeds: Iterable[int]) -> Iterator[FeatureLine]:
    """Yield drawn lines as the backbone sees them."""
    for seed in seeds:
        crop, text, language = rendered_crop(seed, fonts)
        yield FeatureLine(backbone.features([crop])[0], text, language)


def prepare(
    folder: Path,
    backbone: Backbone,
    fonts: FontSet,
    seeds: Sequence[int],
    on_progress: Callable[[int], None] = lambda lines: None,
) -> list[FeatureLine]:
    """Return the lines of ``seeds``, taking from ``folder`` what an earlier run left there, and keeping the rest."""
    found: list[FeatureLine] = []
    for start in range(0, len(seeds), SHARD):
        part = seeds[start : start + SHARD]
        path = folder / f"{backbone.digest}-{part[0]}-{len(part)}.npz"
        if path.is_file():
            found += load_lines(path, backbone=backbone.digest)
        else:
            lines = list(rendered_lines(backbone, fonts, part))
            save_lines(lines, path.with_suffix(".part.npz"), backbone=backbone.digest)
            path.with_suffix(".part.npz").rename(path)
            found += load_lines(path, backbone=backbone.digest)
        on_progress(len(found))
    return [replace(line, text=settled(line.text)) for line in found]
