"""The README is short, has its two commands within the first screen, and every link of it leads somewhere."""

import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
#: Lines that an editor or a terminal shows before anything is scrolled.
FIRST_SCREEN = 40
LINKS = re.findall(r"\]\(([^)\s]+)\)", README)
SHELL = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def anchors(path):
    """Return the anchors of a Markdown page's headings, as GitHub and mkdocs make them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_it_can_be_read_in_one_sitting():
    assert len(README.splitlines()) < 200


def test_both_commands_stand_within_the_first_screen():
    first = "\n".join(README.splitlines()[:FIRST_SCREEN])
    commands = {
        line.split("#")[0].strip()
        for block in re.findall(r"```sh\n(.*?)```", first, re.DOTALL)
        for line in block.splitlines()
    }
    assert {"make run", "make test"} <= commands


def test_every_make_target_that_it_names_exists():
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    named = set(re.findall(r"`make ([a-z]+)`", README))
    named |= {word for block in SHELL for word in re.findall(r"\bmake ([a-z]+)\b", block)}
    assert {"run", "test", "env", "docs", "check", "weights"} <= named <= set(targets)


def test_ci_calls_the_command_that_it_gives_for_the_tests():
    called = (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()[-1]
    assert shlex.split(called)[0] == "make"
    assert "test" in shlex.split(called)


@pytest.mark.parametrize("link", [link for link in LINKS if not link.startswith(("http://", "https://"))])
def test_every_link_leads_to_a_file_of_the_tree_and_a_heading_in_it(link):
    name, _, anchor = link.partition("#")
    path = ROOT / name if name else ROOT / "README.md"
    assert path.is_file()
    assert not anchor or anchor in anchors(path)
