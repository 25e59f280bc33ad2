"""Seeded synthetic business cards with exact ground truth."""

from model.synthetic.chance import FEATURES
from model.synthetic.fonts import FontSet
from model.synthetic.generator import Card, CardTruth, layout_card, make_card
from model.synthetic.layouts import LAYOUTS
from model.synthetic.locales import LOCALES
from model.synthetic.reading import simulate_reading
from model.synthetic.reading_noise import ReadingNoise

__all__ = [
    "FEATURES",
    "LAYOUTS",
    "LOCALES",
    "Card",
    "CardTruth",
    "FontSet",
    "ReadingNoise",
    "layout_card",
    "make_card",
    "simulate_reading",
]
