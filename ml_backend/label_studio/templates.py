"""The labelling configurations of the projects that are made here: business cards, and documents with pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
#: What belongs to no field: visible, but not as loud as the fields.
OUTSIDE_COLOUR = "#757575"
#: What Label Studio has hotkeys for.
_HOTKEYS = 9


def business_cards_config() -> str:
    """Return the labelling configuration of single images, XML."""
    return _config(FIELD_COLOURS, "image", {"value": "$image"})


def documents_config(labels: Iterable[str] | None = None) -> str:
    """Return the labelling configuration of documents, XML: the editor leafs through the list ``pages`` of a task.

    Args:
        labels: Its labels; ``None`` for those of business cards.
    """
    colours = list(FIELD_COLOURS.values())
    names = list(FIELD_COLOURS if labels is None else dict.fromkeys(labels))
    fields = {name: colours[number % len(colours)] for number, name in enumerate(names)}
    return _config(fields, "page", {"valueList": "$pages"})


def _config(fields: Mapping[str, str], image: str, source: Mapping[str, str]) -> str:
    """Return a labelling configuration.

    ``Labels`` and ``Rectangle`` stand apart, so that a line of text that belongs to no field is an ordinary region: it
    can be drawn, seen and corrected without a label. ``smart`` offers each tool a second time, for boxes whose text and
    field the backend fills in.
    """
    view = Element("View")
    labels = SubElement(view, "Labels", name="label", toName=image, showInline="true")
    for number, (name, colour) in enumerate(fields.items(), start=1):
        hotkey = {"hotkey": str(number)} if number <= _HOTKEYS else {}
        SubElement(labels, "Label", {"value": name, "background": colour} | hotkey)
    shown = {"name": image, **source, "zoom": "true", "zoomControl": "true", "rotateControl": "true"}
    SubElement(view, "Image", shown)
    SubElement(
        view,
        "Rectangle",
        {"name": "box", "toName": image, "smart": "true", "strokeWidth": "2"},
        strokeColor=OUTSIDE_COLOUR,
        fillColor=OUTSIDE_COLOUR,
        fillOpacity="0.2",
    )
    SubElement(
        view,
        "TextArea",
        {"name": "text", "toName": image, "perRegion": "true", "editable": "true", "maxSubmissions": "1"},
        rows="2",
        displayMode="region-list",
        placeholder="What is written here",
    )
    indent(view)
    return tostring(view, encoding="unicode")
