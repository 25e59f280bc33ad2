import numpy as np
import pytest
from PIL import Image, ImageDraw

from model.errors import SyntheticError
from model.synthetic import FontSet
from model.synthetic.chance import Chance
from model.synthetic.faces import CYRILLIC, LATIN


def test_folders_without_fonts_give_an_error_that_names_a_package(tmp_path):
    with pytest.raises(SyntheticError, match="apt-get install fonts-dejavu"):
        FontSet.find([tmp_path, tmp_path / "missing"])


def test_files_that_are_no_fonts_are_passed_over(font_folder):
    (font_folder / "broken.ttf").write_bytes(b"no font at all")
    (font_folder / "empty.otf").write_bytes(b"")
    assert len(FontSet.find([font_folder]).families) == 2


def test_all_families_cover_latin_and_some_cyrillic(fonts):
    assert all(family.covers(LATIN) for family in fonts.families)
    assert any(family.covers(CYRILLIC) for family in fonts.families)


def test_a_split_parts_families_completely_and_the_same_way_every_time(fonts):
    train, unseen = fonts.split(unseen=0.3, seed=4)
    names = [{f.name for f in part.families} for part in (train, unseen)]
    assert not names[0] & names[1]
    assert names[0] | names[1] == {f.name for f in fonts.families}
    assert fonts.split(unseen=0.3, seed=4) == (train, unseen)
    assert fonts.split(unseen=0.0)[1].families == ()


def test_the_side_of_a_family_does_not_depend_on_the_others(fonts):
    _, unseen = fonts.split(unseen=0.4)
    fewer = FontSet(fonts.families[::2])
    kept = {f.name for f in fewer.families}
    assert {f.name for f in fewer.split(unseen=0.4)[1].families} == {f.name for f in unseen.families} & kept


def test_a_chosen_family_covers_the_text(fonts):
    chance = Chance(np.random.default_rng(1))
    for text in ("Łódź Straße", "Житомир", "İşletme şirketi"):
        assert fonts.choose(text, chance).covers(text)


def test_what_no_font_covers_is_named(fonts):
    with pytest.raises(SyntheticError, match="\U0001f98a"):
        fonts.covering("fox \U0001f98a")


def test_bold_is_bolder_than_regular(fonts):
    rich = [family for family in fonts.families if len({face.weight for face in family.faces}) > 1]
    assert rich
    for family in rich:
        assert family.face(bold=True).weight >= family.face().weight


def test_a_face_measures_the_ink_that_it_draws(latin_face):
    for letter in "gHx.":
        page = Image.new("L", (200, 200))
        ImageDraw.Draw(page).text((50, 100), letter, font=latin_face.at(96), fill=255, anchor="ls")
        left, top, right, bottom = page.getbbox()
        metrics = latin_face.measure(letter)
        drawn = [left - 50, top - 100, right - 50, bottom - 100]
        assert np.allclose(np.array([metrics.left, metrics.top, metrics.right, metrics.bottom]) * 96, drawn, atol=2)


def test_words_are_as_wide_as_their_letters(latin_face):
    letters = sum(latin_face.measure(c).advance for c in "Kaveri")
    assert latin_face.measure("Kaveri").advance == pytest.approx(letters)
