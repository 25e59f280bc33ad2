"""The labelling configuration of the project «Business cards»."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

#: Each field with its colour; the order is that of the hotkeys 1 to 8. Dark enough to be read as a tag's text.
FIELD_COLOURS: Mapping[str, str] = {
    "NAME": "#1565C0",
    "POSITION": "#6A1B9A",
    "COMPANY": "#2E7D32",
    "PHONE": "#EF6C00",
    "FAX": "#8D6E63",
    "EMAIL": "#C62828",
    "WEBSITE": "#00838F",
    "ADDRESS": "#AD1457",
}
#: Images that a new project begins with.
DEMONSTRATION_CARDS = Path(__file__).resolve().parents[2] / "model" / "synthetic" / "demo"
#: What belongs to no field: visible, but not as loud as the fields.
OUTSIDE_COLOUR = "#757575"


def business_cards_config() -> str:
    """Return the labelling configuration, XML.

    ``Labels`` and ``Rectangle`` stand apart, so that a line of text that belongs to no field is an ordinary region: it
    can be drawn, seen and corrected without a label. ``smart`` offers each tool a second time, for boxes whose text and
    field the backend fills in.
    """
    view = Element("View")
    labels = SubElement(view, "Labels", name="label", toName="image", showInline="true")
    for number, (name, colour) in enumerate(FIELD_COLOURS.items(), start=1):
        SubElement(labels, "Label", value=name, background=colour, hotkey=str(number))
    SubElement(view, "Image", name="image", value="$image", zoom="true", zoomControl="true", rotateControl="true")
    SubElement(
        view,
        "Rectangle",
        {"name": "box", "toName": "image", "smart": "true", "strokeWidth": "2"},
        strokeColor=OUTSIDE_COLOUR,
        fillColor=OUTSIDE_COLOUR,
        fillOpacity="0.2",
    )
    SubElement(
        view,
        "TextArea",
        {"name": "text", "toName": "image", "perRegion": "true", "editable": "true", "maxSubmissions": "1"},
        rows="2",
        displayMode="region-list",
        placeholder="What is written here",
    )
    indent(view)
    return tostring(view, encoding="unicode")
