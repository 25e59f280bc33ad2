"""Documents as an engine would read them, with lines at any angle, for the converter's tests."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from ml_backend.label_studio.geometry import Frame, directions
from model.document.types import Box, Document, Entity, Line, Page, Word

FIELDS = ("NAME", "PHONE", "EMAIL")
WIDTH, HEIGHT = 1500, 1100

CONFIGS = {
    "rectanglelabels": '<View><Image name="card" value="$image"/><RectangleLabels name="field" toName="card">{labels}'
    '</RectangleLabels><TextArea name="words" toName="card" perRegion="true"/></View>',
    "labels+rectangle": '<View><Image name="card" value="$image"/><Labels name="field" toName="card">{labels}</Labels>'
    '<Rectangle name="box" toName="card"/><TextArea name="words" toName="card" perRegion="true"/></View>',
    "polygonlabels": '<View><Image name="card" value="$image"/><PolygonLabels name="field" toName="card">{labels}'
    '</PolygonLabels><TextArea name="words" toName="card" perRegion="true"/></View>',
    "labels+polygon": '<View><Image name="card" value="$image"/><Labels name="field" toName="card">{labels}</Labels>'
    '<Polygon name="box" toName="card"/><TextArea name="words" toName="card" perRegion="true"/></View>',
    "two groups": '<View><Image name="card" value="$image"/><RectangleLabels name="who" toName="card">{first}'
    '</RectangleLabels><RectangleLabels name="field" toName="card">{rest}</RectangleLabels>'
    '<TextArea name="words" toName="card" perRegion="true"/></View>',
    "two groups and a rectangle": '<View><Image name="card" value="$image"/><RectangleLabels name="who" toName="card">'
    '{first}</RectangleLabels><PolygonLabels name="outlined" toName="card">{rest}</PolygonLabels>'
    '<Rectangle name="box" toName="card"/><TextArea name="words" toName="card" perRegion="true"/></View>',
    "a text for each label": '<View><Image name="card" value="$image"/><RectangleLabels name="field" toName="card">'
    '{labels}</RectangleLabels>{texts}<TextArea name="words" toName="card" perRegion="true"/></View>',
    "a text for each group": '<View><RectangleLabels name="who" toName="card">{first}</RectangleLabels>'
    '<Image name="card" value="$image"/><RectangleLabels name="field" toName="card">{rest}</RectangleLabels>'
    '<View visibleWhen="region-selected" whenTagName="who"><TextArea name="who text" toName="card" perRegion="true"/>'
    '</View><TextArea name="words" toName="card" perRegion="true" whenTagName="field"/></View>',
    "labels+rectangle+polygon": '<View><Image name="card" value="$image"/><Labels name="field" toName="card">{labels}'
    '</Labels><Rectangle name="box" toName="card"/><Polygon name="outline" toName="card"/>'
    '<TextArea name="words" toName="card" perRegion="true"/></View>',
}
LABEL_KINDS = frozenset({"labels", "rectanglelabels", "polygonlabels"})


def config_xml(name: str, labels: tuple[str, ...] = FIELDS) -> str:
    """Return one of the usual configurations with the given labels."""
    tags = [f'<Label value="{label}"/>' for label in labels]
    texts = (
        f'<TextArea name="{label} text" toName="card" perRegion="true" whenLabelValue="{label}"/>' for label in labels
    )
    return CONFIGS[name].format(labels="".join(tags), first=tags[0], rest="".join(tags[1:]), texts="".join(texts))


@dataclass(frozen=True)
class Run:
    """What one region has to be: a stretch of one line."""

    field: str | None
    text: str
    frame: Frame


def line_at(frame: Frame, stretches: list[tuple[float, float]], texts: list[str]) -> Line:
    """Make a line whose words fill ``stretches`` (start and stop along the line), with upright boxes around them."""
    along, _ = directions(frame.rotation)
    words = []
    for text, (start, stop) in zip(texts, stretches, strict=True):
        corner = (frame.x + along[0] * start, frame.y + along[1] * start)
        outline = Frame(*corner, stop - start, frame.height, frame.rotation).polygon
        words.append(Word(text, Box.of_polygon(outline), 0.9))
    return Line(" ".join(texts), frame.polygon, 0.95, tuple(words))


def run_of(frame: Frame, stretches: list[tuple[float, float]], texts: list[str], field: str | None) -> Run:
    """Return the region that consecutive words of a line make."""
    along, _ = directions(frame.rotation)
    start, stop = stretches[0][0], stretches[-1][1]
    corner = (frame.x + along[0] * start, frame.y + along[1] * start)
    return Run(field, " ".join(texts), Frame(*corner, stop - start, frame.height, frame.rotation))


ANGLES = st.one_of(
    st.sampled_from([0.0, 90.0, 180.0, 270.0]),
    st.builds(lambda quarter, rest: quarter * 90 + rest, st.integers(0, 3), st.floats(1.5, 88.5)),
)


@st.composite
def documents(draw: st.DrawFn, angles: st.SearchStrategy[float] = ANGLES) -> tuple[Document, list[Run]]:
    """Draw a document and the regions that it has to become."""
    lines, runs, entities, words_before = [], [], [], 0
    for _ in range(draw(st.integers(0, 4))):
        height = draw(st.floats(8, 60))
        lengths = draw(st.lists(st.floats(height, 90), min_size=1, max_size=5))
        gap = draw(st.floats(2, 15))
        starts = [sum(lengths[:index]) + gap * index for index in range(len(lengths))]
        stretches = [(start, start + length) for start, length in zip(starts, lengths, strict=True)]
        rotation = draw(angles)
        # Far enough inside the page that nothing has to be cut.
        frame = Frame(draw(st.floats(600, 900)), draw(st.floats(560, 620)), stretches[-1][1], height, rotation)
        texts = draw(
            st.lists(
                st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=8),
                min_size=len(lengths),
                max_size=len(lengths),
            )
        )
        lines.append(line_at(frame, stretches, texts))
        tags = draw(st.lists(st.sampled_from([None, *FIELDS]), min_size=len(lengths), max_size=len(lengths)))
        at = 0
        while at < len(tags):
            stop = at + 1
            while stop < len(tags) and tags[stop] == tags[at]:
                stop += 1
            run = run_of(frame, stretches[at:stop], texts[at:stop], tags[at])
            runs.append(run)
            if tags[at] is not None:
                box = Box.of_polygon(run.frame.polygon)
                entities.append(Entity(tags[at], run.text, box, 0.8, words_before + at, words_before + stop))
            at = stop
        words_before += len(texts)
    score = draw(st.floats(0, 1))
    return Document(Page(WIDTH, HEIGHT, tuple(lines)), tuple(entities), score, "engine", "model"), runs
