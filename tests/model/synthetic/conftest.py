from pathlib import Path

import pytest

from model.synthetic import FontSet

DEBIAN_FONTS = Path("/usr/share/fonts/truetype")


@pytest.fixture(scope="session")
def fonts() -> FontSet:
    """The fonts that ``.ci/run`` installs, so that a seed draws the same card everywhere; where they lack, all."""
    folders = [DEBIAN_FONTS / name for name in ("dejavu", "liberation", "liberation2")]
    return FontSet.find([folder for folder in folders if folder.is_dir()] or None)


@pytest.fixture(scope="session")
def latin_face(fonts):
    return fonts.families[0].faces[0]


@pytest.fixture(scope="session")
def font_folder(fonts, tmp_path_factory) -> Path:
    """A folder with the files of two families."""
    folder = tmp_path_factory.mktemp("fonts")
    for family in fonts.families[:2]:
        for face in family.faces:
            (folder / face.path.name).write_bytes(face.path.read_bytes())
    return folder
