"""Both engines start and read with alphabets beyond the basic plane of Unicode."""

from __future__ import annotations

import pytest

from model.ocr import ENGINES, build_engine
from model.recognition.shipped import shipped_head
from tests.model.recognition.conftest import printed


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_reads_with_all_of_the_original_alphabet(name):
    (line,) = build_engine(name, models_dir=None, threads=1, languages=("original",)).recognise(
        [printed("Maria Lopez 2024")]
    )
    assert line.text == "Maria Lopez 2024"


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_reads_with_what_one_correction_added(name, tmp_path):
    shipped_head().widened("😀𠮷").save(tmp_path)
    (line,) = build_engine(name, models_dir=None, threads=1, recogniser=tmp_path).recognise(
        [printed("Maria Lopez 2024")]
    )
    assert line.text == "Maria Lopez 2024"
