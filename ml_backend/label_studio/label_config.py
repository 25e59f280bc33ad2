"""Labelling configurations: which controls draw, name and transcribe the regions of which image.

The SDK has a parser too. It is not used here because it expands XML entities, and because it keeps no link between the
control that draws a region and the one that names it, which is all that is asked for here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]

from ml_backend.errors import LabelConfigError
from model.errors import say

Kind = Literal["rectanglelabels", "labels", "polygonlabels"]
Outline = Literal["rectangle", "polygon"]

REMEDY = say(
    'Give the project an <Image name="image" value="$image"/>, a <RectangleLabels>, <PolygonLabels>, or <Labels> with '
    'a <Rectangle> or <Polygon>, and a <TextArea perRegion="true">, all with toName="image".'
)


class PageId(NamedTuple):
    """Which of a task's images.

    Attributes:
        image: Name of the ``Image`` tag: the ``to_name`` of its regions.
        item_index: Its place in the list of a ``valueList``, from 0; 0 where there is no list.
    """

    image: str
    item_index: int = 0


@dataclass(frozen=True, slots=True)
class Label:
    """One label that an annotator can choose.

    Attributes:
        value: What stands in results: the ``alias`` where there is one, else the ``value``.
        predicted_values: Names that the configuration's author gave for this label in ``predicted_values``.
        title: What the annotator sees; the same as ``value`` unless there is an alias.
    """

    value: str
    predicted_values: tuple[str, ...] = ()
    title: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """One image of the task, and the controls that its regions go through.

    Attributes:
        image: Name of the ``Image`` tag: the ``to_name`` of its results.
        value_key: Key of the task's data that holds the image's address; dots lead into nested objects.
        kind: Type of the results that carry the label.
        shape: Control that draws.
        label: Control that labels, the same as ``shape`` for ``RectangleLabels``; ``None`` where nothing is labelled.
        text: ``TextArea`` that holds a region's text; ``None`` where regions are only labelled.
        labels: The labels of the configuration; those that the task brings are added by :meth:`for_task`.
        outline: Whether a region is a rectangle or a polygon.
        value_list: Whether the address is a list, a page each (``valueList``).
        labels_key: Key of the task's data that holds more labels (``value="$labels"`` on the labelling control).
    """

    image: str
    value_key: str
    kind: Kind
    shape: str
    label: str | None
    text: str | None
    labels: tuple[Label, ...]
    outline: Outline = "rectangle"
    value_list: bool = False
    labels_key: str | None = None

    def pages(self, data: Mapping[str, Any]) -> dict[PageId, str]:
        """Return the addresses in a task's data: one, several for ``valueList``, none where it is missing.

        Without ``valueList`` Label Studio's editor shows the first of a list and no other. An entry that is no address
        is left out, and keeps its place: regions count all of them.
        """
        value = _lookup(data, self.value_key)
        values = value if isinstance(value, list) else [value]
        pages = {PageId(self.image, at): url for at, url in enumerate(values) if isinstance(url, str) and url}
        return pages if self.value_list else {PageId(self.image): url for url in list(pages.values())[:1]}

    def value_of(self, urls: Sequence[str]) -> str | list[str]:
        """Return what a task's data holds under :attr:`value_key` to show these images.

        Raises:
            ValueError: If there are several, and this shows one only.
        """
        if self.value_list:
            return list(urls)
        (url,) = urls
        return url

    def for_task(self, data: Mapping[str, Any]) -> Target:
        """Return this target with the labels that the task itself brings added to those of the configuration."""
        if self.labels_key is None:
            return self
        entries = _lookup(data, self.labels_key)
        own = _dynamic_labels(entries if isinstance(entries, list) else [])
        known = {label.value for label in self.labels}
        return replace(self, labels=self.labels + tuple(label for label in own if label.value not in known))


@dataclass(frozen=True, slots=True)
class LabelConfig:
    """A labelling configuration, as far as it matters here.

    Attributes:
        targets: One for each image that regions can be drawn on, in the configuration's order; never none.
    """

    targets: tuple[Target, ...]

    def target(self, image: str) -> Target | None:
        """Return the target of the ``Image`` tag called ``image``, ``None`` where it has none."""
        return next((target for target in self.targets if target.image == image), None)

    def for_task(self, data: Mapping[str, Any]) -> LabelConfig:
        """Return this configuration with the labels that the task brings."""
        return LabelConfig(tuple(target.for_task(data) for target in self.targets))


def parse_label_config(xml: str) -> LabelConfig:
    """Read a project's labelling configuration.

    Args:
        xml: The configuration as Label Studio sends it.

    Raises:
        LabelConfigError: If it is not XML, declares entities, or has no image with controls for text regions.
    """
    try:
        root: Element = fromstring(xml, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise LabelConfigError(
            say("The labelling configuration is not XML that can be read safely."), REMEDY
        ) from error
    tags = [(str(element.tag).lower(), element) for element in root.iter()]
    images = [element for tag, element in tags if tag == "image" and _variable(element)]
    if not images:
        raise LabelConfigError(say('The labelling configuration has no <Image> with a value such as "$image".'), REMEDY)
    controls: dict[str, list[tuple[str, Element]]] = {}
    for tag, control in tags:
        for name in set(_names(control.get("toName"))) if control.get("name") else ():
            controls.setdefault(name, []).append((tag, control))
    targets = [target for image in images if (target := _target(image, controls)) is not None]
    if not targets:
        raise LabelConfigError(
            say("The labelling configuration has no control that draws text regions on an image."), REMEDY
        )
    return LabelConfig(tuple(targets))


def _target(image: Element, controls: Mapping[str, Sequence[tuple[str, Element]]]) -> Target | None:
    """Choose the controls of one image: labelled rectangles first, then polygons, then labels and shapes apart."""
    name = image.get("name", "")
    own = controls.get(name, ())
    first = dict(reversed(own))  # the first control of each type
    text = _text_control(control for tag, control in own if tag == "textarea")

    kind: Kind
    if "rectanglelabels" in first or "polygonlabels" in first:
        kind = "rectanglelabels" if "rectanglelabels" in first else "polygonlabels"
        label: Element | None = first[kind]
        shape = first[kind]
        outline: Outline = "rectangle" if kind == "rectanglelabels" else "polygon"
    elif "rectangle" in first or "polygon" in first:
        kind, label = "labels", first.get("labels")
        outline = "rectangle" if "rectangle" in first else "polygon"
        shape = first[outline]
    else:
        return None
    if label is None and text is None:
        return None
    return Target(
        image=name,
        value_key=_variable(image),
        kind=kind,
        shape=shape.get("name", ""),
        label=label.get("name") if label is not None else None,
        text=text,
        labels=_labels(label) if label is not None else (),
        outline=outline,
        value_list=bool(image.get("valueList")),
        labels_key=(_dollar(label.get("value")) or None) if label is not None else None,
    )


def _text_control(controls: Iterable[Element]) -> str | None:
    """Choose the ``TextArea`` for a region's text: one that always shows before one that shows for some labels only."""
    own = [control for control in controls if control.get("perRegion", "").lower() == "true"]
    own.sort(key=lambda control: any(name.startswith("when") for name in control.attrib))
    return own[0].get("name") if own else None


def _labels(control: Element) -> tuple[Label, ...]:
    children = (child for child in control.iter() if str(child.tag).lower() == "label")
    return _unique(_label(child.attrib) for child in children)


def _dynamic_labels(entries: Iterable[object]) -> tuple[Label, ...]:
    """Read a task's own labels: objects with a ``value``, or plain names."""
    attributes = (entry if isinstance(entry, Mapping) else {"value": entry} for entry in entries)
    return _unique(_label({key: item for key, item in entry.items() if isinstance(item, str)}) for entry in attributes)


def _label(attributes: Mapping[str, str]) -> Label:
    title = attributes.get("value", "").strip()
    predicted = tuple(name.strip() for name in attributes.get("predicted_values", "").split(",") if name.strip())
    return Label(value=attributes.get("alias", "").strip() or title, predicted_values=predicted, title=title)


def _unique(labels: Iterable[Label]) -> tuple[Label, ...]:
    """Keep the first of equal labels; Label Studio cannot tell them apart either."""
    return tuple({label.value: label for label in reversed(list(labels)) if label.value}.values())[::-1]


def _names(to_name: str | None) -> list[str]:
    return [name.strip() for name in (to_name or "").split(",")]


def _variable(image: Element) -> str:
    return _dollar(image.get("valueList")) or _dollar(image.get("value"))


def _dollar(value: str | None) -> str:
    """Return the task key of ``$key``; the empty string where there is none."""
    value = (value or "").strip()
    return value[1:] if value.startswith("$") else ""


def _lookup(data: Mapping[str, Any], key: str) -> object:
    """Follow a dotted key into a task's data; a key that holds dots itself wins, as in Label Studio."""
    if key in data:
        return data[key]
    value: object = data
    for part in key.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value
