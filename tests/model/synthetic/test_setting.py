"""Breaking lines, placing them, projecting and drawing them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.document.types import Box
from model.synthetic.camera import take
from model.synthetic.chance import Chance
from model.synthetic.content import Span, TextLine, Token, outside
from model.synthetic.design import Design, SetLine, SetWord
from model.synthetic.paint import paint_card
from model.synthetic.rows import break_line, tab_position
from model.synthetic.shot import draw_shot, homography
from model.synthetic.styles import TypeStyle


@pytest.fixture(scope="module")
def style(latin_face):
    return TypeStyle(latin_face, 20.0, 0.0)


@settings(deadline=None, max_examples=60)
@given(words=st.lists(st.text("aWi.", min_size=1, max_size=9), min_size=1, max_size=20), width=st.floats(40, 900))
def test_breaking_a_line_keeps_all_its_words_in_order_and_inside_the_width(style, words, width):
    rows = break_line(outside(" ".join(words)), style, width, 1.0, 0.0)
    assert [token.text for row in rows for token, _ in row.words] == words
    for row in rows:
        assert row.width <= width + 1 or len(row.words) == 1


def test_a_number_is_not_broken_while_it_fits(style):
    line = TextLine((Span("Mobile: "), Span("+91 98480 22334", "PHONE"), Span(" | "), Span("040 2330 8585", "PHONE")))
    rows = break_line(line, style, style.width("Mobile: +91 98480 22334 ||", 20), 1.0, 0.0)
    assert [" ".join(token.text for token, _ in row.words) for row in rows] == [
        "Mobile: +91 98480 22334 |",
        "040 2330 8585",
    ]


def test_values_of_a_column_start_at_one_place(style):
    lines = [TextLine((Span(label), Span("12345", "PHONE")), tab=1) for label in ("Telephone ", "Fax ")]
    tab = tab_position(lines, style, 1.0, 8.0)
    starts = {break_line(line, style, 600, 1.0, tab)[0].words[-1][1] for line in lines}
    assert starts == {tab}
    assert tab > style.width("Telephone", 20)


def test_only_the_first_row_of_a_line_carries_its_icon(style):
    line = TextLine((Span("one two three four five six"),), icon="pin")
    rows = break_line(line, style, 90, 1.0, 0.0)
    assert len(rows) > 1
    assert [row.icon for row in rows] == ["pin"] + [""] * (len(rows) - 1)
    assert all(row.indent > 0 for row in rows)


@given(st.lists(st.floats(-8, 8), min_size=8, max_size=8))
def test_a_homography_takes_the_corners_where_they_belong(shifts):
    source = np.array([(0, 0), (100, 0), (100, 60), (0, 60)], dtype=float)
    target = source + np.array(shifts).reshape(4, 2)
    matrix = homography(source, target)
    moved = np.c_[source, np.ones(4)] @ matrix.T
    assert np.allclose(moved[:, :2] / moved[:, 2:], target, atol=1e-6)


@pytest.mark.parametrize("kind", ["flat", "scan", "photo"])
@pytest.mark.parametrize("seed", range(10))
def test_the_whole_card_lies_on_the_page(kind, seed):
    shot = draw_shot(Chance(np.random.default_rng(seed)), 1050, 600, kind)
    for x, y in shot.project([(0, 0), (1050, 0), (1050, 600), (0, 600)]):
        assert -0.5 <= x <= shot.width + 0.5
        assert -0.5 <= y <= shot.height + 0.5


def test_a_scale_can_be_asked_for():
    shot = draw_shot(Chance(np.random.default_rng(0)), 1050, 600, "flat", scale=0.5)
    assert (shot.width, shot.height) == (525, 300)


def design_of(face, text, size=60, x=100.0, baseline=200.0) -> Design:
    metrics = face.measure(text)
    box = Box(
        x + metrics.left * size,
        baseline + metrics.top * size,
        x + metrics.right * size,
        baseline + metrics.bottom * size,
    )
    line = SetLine((SetWord(Token(text, "NAME", 0), x, box),), face, size, 0.0, baseline, "body", "")
    return Design(900, 300, (line,), ())


@pytest.mark.parametrize("text", ["Hxgp", "Kaveri", "040-2330"])
def test_boxes_are_as_tight_as_the_ink(latin_face, text):
    design = design_of(latin_face, text)
    empty = Design(900, 300, (), ())
    seed = next(s for s in range(50) if _differs(design, empty, s))
    changed = _difference(design, empty, seed)
    ys, xs = np.nonzero(changed)
    box = design.lines[0].words[0].box
    assert abs(xs.min() - box.x0) <= 2
    assert abs(xs.max() + 1 - box.x1) <= 2
    assert abs(ys.min() - box.y0) <= 2
    assert abs(ys.max() + 1 - box.y1) <= 2


def _difference(design, empty, seed):
    one, other = (paint_card(d, np.random.default_rng(seed)).astype(int) for d in (design, empty))
    return np.abs(one - other).sum(axis=2) > 60


def _differs(design, empty, seed) -> bool:
    # Where a corner was painted on the empty card alone, the difference is no ink: take a ground without.
    changed = _difference(design, empty, seed)
    return 0 < changed.sum() < 0.1 * changed.size


@pytest.mark.parametrize("kind", ["flat", "scan", "photo"])
def test_the_camera_puts_a_mark_where_the_truth_says(kind):
    card = np.full((600, 1050, 3), 255, np.uint8)
    card[280:320, 500:560] = 0
    for seed in range(6):
        shot = draw_shot(Chance(np.random.default_rng(seed)), 1050, 600, kind)
        page = take(card, shot, np.random.default_rng(seed))
        assert page.shape == (shot.height, shot.width, 3)
        box = Box.of_polygon(shot.project(Box(500, 280, 560, 320).polygon()))
        margin = 12 * shot.width / 1050
        window = page[int(box.y0 - margin) : int(box.y1 + margin), int(box.x0 - margin) : int(box.x1 + margin)].mean(
            axis=2
        )
        dark = window < (window.min() + window.max()) / 2
        ys, xs = np.nonzero(dark)
        assert abs(xs.mean() + 0.5 + int(box.x0 - margin) - box.center[0]) < 2
        assert abs(ys.mean() + 0.5 + int(box.y0 - margin) - box.center[1]) < 2
