"""Finds fonts and chooses among them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.errors import SyntheticError
from model.synthetic.chance import Chance
from model.synthetic.faces import Face, Use, read_face

SYSTEM_FOLDERS = (
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    Path.home() / ".local/share/fonts",
    Path.home() / ".fonts",
    Path("/Library/Fonts"),
    Path("/System/Library/Fonts"),
    Path("C:/Windows/Fonts"),
)


@dataclass(frozen=True, slots=True)
class Family:
    """The faces of one design.

    Attributes:
        name: As the files call it.
        use: ``body`` for any text, ``display`` for large text, ``script`` for handwriting and ornament, ``native``
            for scripts other than Latin and Cyrillic.
        faces: Its files, regular weights first.
    """

    name: str
    use: Use
    faces: tuple[Face, ...]

    def covers(self, text: str) -> bool:
        """Say whether its first face can draw all of ``text``."""
        return self.faces[0].covers(text)

    def face(self, text: str = "", *, bold: bool = False, italic: bool = False) -> Face:
        """Return the face nearest to what is asked for, among those that can draw ``text`` as far as any can."""
        wanted = 700 if bold else 400
        able = [face for face in self.faces if face.covers(text)] or list(self.faces)
        return min(able, key=lambda face: (face.italic != italic) * 250 + abs(face.weight - wanted))


@dataclass(frozen=True, slots=True)
class FontSet:
    """Font families to set cards in.

    Attributes:
        families: Those that cover Latin, some of them Cyrillic too, in alphabetical order.
        native: Those of other scripts, for the few words in them that cards carry.
    """

    families: tuple[Family, ...]
    native: tuple[Family, ...] = ()

    @staticmethod
    def find(folders: Sequence[Path] | None = None) -> FontSet:
        """Look for TrueType and OpenType fonts that can set business cards.

        Args:
            folders: Searched with all folders below; by default those where systems keep their fonts.

        Raises:
            SyntheticError: If there is none.
        """
        searched = SYSTEM_FOLDERS if folders is None else tuple(folders)
        files = sorted(
            {p for f in searched if f.is_dir() for p in f.rglob("*") if p.suffix.lower() in {".ttf", ".otf"}}
        )
        found: dict[str, list[tuple[Face, Use]]] = {}
        for path in files:
            found_face = read_face(path)
            if found_face is not None:
                name, face, use = found_face
                found.setdefault(name, []).append((face, use))
        families = [
            Family(name, members[0][1], tuple(sorted((f for f, _ in members), key=_plainness)))
            for name, members in sorted(found.items())
        ]
        latin = tuple(family for family in families if family.use != "native")
        if not latin:
            looked = ", ".join(str(f) for f in searched if f.is_dir()) or "no existing folder"
            raise SyntheticError(
                f"no usable font in {looked}: install some, on Debian for example `apt-get install fonts-dejavu "
                "fonts-liberation2 fonts-open-sans fonts-paratype`"
            )
        return FontSet(latin, tuple(family for family in families if family.use == "native"))

    def split(self, unseen: float = 0.2, seed: int = 0) -> tuple[FontSet, FontSet]:
        """Part the families into those to train on and those to test on.

        A family's side depends on its name and the seed alone, so that it stays there when others come.

        Args:
            unseen: Share that goes to the second set, in ``[0, 1]``.
            seed: Another seed parts them differently.
        """

        def position(family: Family) -> float:
            # "Roboto Condensed" goes with "Roboto": a sibling would give the unseen design away.
            stem = (
                " ".join(family.name.split()[:2])
                if family.name.startswith(("Noto", "PT", "GFS"))
                else family.name.split()[0]
            )
            return int.from_bytes(hashlib.sha256(f"{seed}:{stem}".encode()).digest()[:8], "big") / 2**64

        train = tuple(f for f in self.families if position(f) >= unseen)
        test = tuple(f for f in self.families if position(f) < unseen)
        return FontSet(train, self.native), FontSet(test, self.native)

    def choose(self, text: str, chance: Chance, uses: Iterable[Use] = ("body",)) -> Family:
        """Return a family for one of ``uses`` that can draw all of ``text``.

        Raises:
            SyntheticError: If no family of the set covers the text.
        """
        allowed = frozenset(uses)
        candidates = [f for f in self.families if f.use in allowed]
        # Trying at random is quicker than asking all: nearly every family covers nearly every card.
        for _ in range(12):
            if candidates and (family := chance.pick(candidates)).covers(text):
                return family
        return chance.pick(self.covering(text))

    def covering(self, text: str) -> tuple[Family, ...]:
        """Return the families that can draw all of ``text``.

        Raises:
            SyntheticError: If there is none.
        """
        covering = tuple(f for f in self.families if f.covers(text))
        if not covering:
            missing = (
                "".join(sorted({c for c in text if not any(f.covers(c) for f in self.families)})) or "this mixture"
            )
            raise SyntheticError(
                f"no font covers {missing!r}: install one that does, on Debian for example `apt-get install "
                "fonts-dejavu fonts-noto-core fonts-paratype`"
            )
        return covering


def _plainness(face: Face) -> tuple[int, bool, str]:
    return abs(face.weight - 400), face.italic, face.path.name
