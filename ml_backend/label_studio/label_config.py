"""Labelling configurations: which controls draw, name and transcribe the regions of which image.

The SDK has a parser too. It is not used here because it expands XML entities, and because it keeps no link between the
control that draws a region and the one that names it, which is all that is asked for here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]

from ml_backend.errors import LabelConfigError
from ml_backend.i18n import Words, say

Kind = Literal["rectanglelabels", "labels", "polygonlabels"]
Outline = Literal["rectangle", "polygon"]
PreLabels = Literal["all", "values"]

#: What stands for the index in a ``Repeater``, unless its ``indexFlag`` says otherwise.
INDEX_FLAG = "{{idx}}"
#: No list is followed further; a task has fewer pages in any case.
MAX_REPEATED = 10_000
#: What is read within a request, since Label Studio sends the configuration with each: images, controls, counted for
#: each image that they are for, levels of nested tags, and characters.
MOST_IMAGES = 1_000
MOST_CONTROLS = 100_000
MOST_LEVELS = 200
MOST_CHARACTERS = 4_000_000
_MOST_DIGITS = 5
_PART = re.compile(r"([^.\[\]]+)|\[(\d{1,5})\]")

_DRAWING_LABELS: tuple[tuple[Kind, Outline], ...] = (("rectanglelabels", "rectangle"), ("polygonlabels", "polygon"))
_OUTLINES: tuple[Outline, ...] = ("rectangle", "polygon")
_OTHER_SHAPES = ("brush", "keypoint", "bitmask", "vector", "magicwand", "video")
_WHOLE = frozenset({"choices", "taxonomy", "rating", "number", "datetime", "pairwise", "ranker"})
_PRE_LABELS: Mapping[str, PreLabels] = {"all": "all", "values": "values"}
_ON_CHOICE = frozenset({"choice-selected", "choice-unselected", "no-region-selected"})

REMEDY = say(
    'Give the project an <Image name="image" value="$image"/>, a <RectangleLabels>, <PolygonLabels>, or <Labels> with '
    'a <Rectangle> or <Polygon>, and a <TextArea perRegion="true">, all with toName="image".'
)


class PageId(NamedTuple):
    """Which of a task's images.

    Attributes:
        image: Name of the ``Image`` tag: the ``to_name`` of its regions.
        item_index: Its place in the list of a ``valueList`` or a ``Repeater``, from 0; 0 where there is no list.
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
class Group:
    """Labels of one control, and what draws the regions that have them.

    Attributes:
        kind: Type of the results that carry the label.
        shape: Control that draws.
        label: Control that labels, the same as ``shape`` for ``RectangleLabels``; ``None`` where nothing is labelled.
        outline: Whether a region is a rectangle or a polygon.
        labels: The labels of the configuration; those that the task brings are added by :meth:`for_task`.
        labels_key: Key of the task's data that holds more labels (``value="$labels"`` on the labelling control).
    """

    kind: Kind
    shape: str
    label: str | None
    outline: Outline
    labels: tuple[Label, ...] = ()
    labels_key: str | None = None

    def for_task(self, data: Mapping[str, Any]) -> Group:
        """Return this group with the labels that the task itself brings added to those of the configuration."""
        if self.labels_key is None:
            return self
        entries = _lookup(data, self.labels_key)
        own = _dynamic_labels(entries if isinstance(entries, list) else [])
        known = {label.value for label in self.labels}
        return replace(self, labels=self.labels + tuple(label for label in own if label.value not in known))


@dataclass(frozen=True, slots=True)
class TextControl:
    """A ``TextArea`` for the text of a region.

    Attributes:
        name: Its name.
        labels: Labels of the regions that it is shown for; ``None`` for all of them, with a label or without.
        groups: Controls whose regions it is meant for; ``None`` for any.
        hides: Whether it is hidden from regions of other controls. ``whenTagName`` alone is only a wish.
        waits: Whether it stands in a view that shows only once a person has chosen something.
        is_dropped: Whether Label Studio drops what it holds before a person has chosen something: it is read only.
    """

    name: str
    labels: frozenset[str] | None = None
    groups: frozenset[str] | None = None
    hides: bool = False
    waits: bool = False
    is_dropped: bool = False

    @property
    def always(self) -> bool:
        """Whether it is meant for every region."""
        return self.labels is None and self.groups is None and not self.waits and not self.is_dropped

    def fits(self, label: str | None, group: Group) -> bool | None:
        """Return whether it is meant for a region; ``None`` where Label Studio does not even show it.

        Args:
            label: The region's label, ``None`` for none.
            group: The controls that the region is of.
        """
        if self.is_dropped or (self.labels is not None and label not in self.labels):
            return None
        meant = self.groups is None or not self.groups.isdisjoint({group.shape, group.label})
        if self.hides and not (meant and label is not None):
            return None
        return meant and not self.waits


@dataclass(frozen=True, slots=True)
class Target:
    """One image of the task, and the controls that its regions go through.

    A target of a ``Repeater`` stands for one image for each entry of a list: its names hold the index flag, and
    :meth:`at` gives the target of one entry.

    Attributes:
        image: Name of the ``Image`` tag: the ``to_name`` of its results.
        value_key: Key of the task's data that holds the image's address; dots and indices lead into nested values.
        groups: What draws and labels, best first; never none.
        texts: What holds a region's text; none where regions are only labelled.
        value_list: Whether the address is a list, a page each (``valueList``).
        pre_labels: What the ``Image`` tag's ``preLabels`` asks for: every line, or values of fields only; ``None``
            where it says nothing.
        repeat_key: Key of the task's data that holds the list of a ``Repeater``; ``None`` without one.
        index_flag: What stands in the names of a ``Repeater``'s tags for the index.
        index: Which entry of the ``Repeater``'s list this is; ``None`` for the target of all of them.
    """

    image: str
    value_key: str
    groups: tuple[Group, ...]
    texts: tuple[TextControl, ...]
    value_list: bool = False
    pre_labels: PreLabels | None = None
    repeat_key: str | None = None
    index_flag: str = INDEX_FLAG
    index: int | None = None

    @property
    def labels(self) -> tuple[Label, ...]:
        """All labels, those of the first group first; of equal ones the first."""
        return _unique(label for group in self.groups for label in group.labels)

    @property
    def is_paged(self) -> bool:
        """Whether a task may have several images for it, a page each."""
        return self.value_list or self.repeat_key is not None

    @property
    def repeats(self) -> bool:
        """Whether this stands for the images of all entries of a list."""
        return self.repeat_key is not None and self.index is None

    def group_of(self, label: str | None) -> Group:
        """Return the group that regions with a label are written for.

        Args:
            label: ``None`` for regions without: they go to a control that only draws, else to the first group.
        """
        if label is None:
            plain = [group for group in self.groups if group.kind == "labels"]
            return next((group for group in plain if group.label is None), (*plain, *self.groups)[0])
        return next((group for group in self.groups if any(label == own.value for own in group.labels)), self.groups[0])

    def text_of(self, label: str | None) -> str | None:
        """Return the control that holds the text of regions with a label, ``None`` where none is shown for them.

        One that is meant for every region comes first, unless several labels have one of their own.
        """
        group = self.group_of(label)
        fitting = [(text, fits) for text in self.texts if (fits := text.fits(label, group)) is not None]
        of_labels = self._has_texts_of_labels
        # Of equal ones the first of the configuration.
        best = min(fitting, key=lambda item: (not item[1], item[0].always is of_labels), default=None)
        return best[0].name if best else None

    @property
    def _has_texts_of_labels(self) -> bool:
        """Whether texts have controls for each label, or each group, rather than one with an extra for some."""
        own = [text for text in self.texts if not text.always and not text.waits and not text.is_dropped]
        labels = frozenset().union(*(text.labels or () for text in own))
        groups = frozenset().union(*(text.groups or () for text in own if text.labels is None))
        return len(labels) > 1 or len(groups) > 1 or (bool(labels) and labels >= {each.value for each in self.labels})

    def pages(self, data: Mapping[str, Any]) -> dict[PageId, str]:
        """Return the addresses in a task's data: one, several where it is paged, none where it is missing.

        Without ``valueList`` Label Studio's editor shows the first of a list and no other. An entry that is no address
        is left out, and keeps its place: regions count all of them.
        """
        if self.repeats:
            entries = _lookup(data, self.repeat_key or "")
            count = min(len(entries), MAX_REPEATED) if isinstance(entries, list) else 0
            return {page: url for index in range(count) for page, url in self.at(index).pages(data).items()}
        value = _lookup(data, self.value_key)
        values = value if isinstance(value, list) else [value]
        urls = {at: url for at, url in enumerate(values) if isinstance(url, str) and url}
        if self.value_list:
            return {PageId(self.image, at): url for at, url in urls.items()}
        return {PageId(self.image, self.index or 0): url for url in list(urls.values())[:1]}

    def page(self, item_index: int) -> PageId:
        """Return how one of its images is called.

        Args:
            item_index: Its place among the pages, from 0; 0 where there is one only.
        """
        return PageId(self.at(item_index).image if self.repeats else self.image, item_index)

    def task_data(self, urls: Sequence[str]) -> dict[str, Any]:
        """Return the part of a task's data that shows these images.

        Raises:
            ValueError: If there are several, and this shows one only, or none.
        """
        if self.value_list:
            return {self.value_key: list(urls)}
        if self.repeats:
            places = [_path(self.at(index).value_key) for index in range(len(urls))]
        else:
            (_,) = urls
            places = [_path(self.value_key)]
        made: dict[str, Any] = {}
        for place, url in zip(places, urls, strict=True):
            _put(made, place, url)
        return made

    def at(self, index: int) -> Target:
        """Return the target of one entry of a ``Repeater``'s list; itself without a ``Repeater``."""
        if not self.repeats:
            return self
        flag, number = self.index_flag, str(index)

        def named(name: str) -> str:
            return name.replace(flag, number)

        groups = tuple(
            replace(
                group,
                shape=named(group.shape),
                label=None if group.label is None else named(group.label),
                labels_key=None if group.labels_key is None else named(group.labels_key),
            )
            for group in self.groups
        )
        texts = tuple(
            replace(
                text,
                name=named(text.name),
                groups=None if text.groups is None else frozenset(map(named, text.groups)),
            )
            for text in self.texts
        )
        return replace(
            self,
            image=named(self.image),
            value_key=named(self.value_key),
            groups=groups,
            texts=texts,
            index=index,
        )

    def of_image(self, image: str) -> Target | None:
        """Return the target of the ``Image`` tag called ``image``: itself, or one entry of the list; ``None`` else."""
        if not self.repeats:
            return self if image == self.image else None
        before, _, after = self.image.partition(self.index_flag)
        digits = image[len(before) : len(image) - len(after)]
        if not (digits.isascii() and digits.isdecimal() and len(digits) <= _MOST_DIGITS):
            return None
        found = self.at(int(digits))
        return found if found.image == image else None

    def for_task(self, data: Mapping[str, Any]) -> Target:
        """Return this target with the labels that the task itself brings added to those of the configuration."""
        return replace(self, groups=tuple(group.for_task(data) for group in self.groups))


@dataclass(frozen=True, slots=True)
class Unserved:
    """A control that gets no pre-labels.

    Attributes:
        tag: What it is, such as ``Brush``.
        name: Its name; empty where it has none.
        reason: Why.
    """

    tag: str
    name: str
    reason: Words


@dataclass(frozen=True, slots=True)
class LabelConfig:
    """A labelling configuration, as far as it matters here.

    Attributes:
        targets: One for each image that regions can be drawn on, in the configuration's order; never none.
        objects: Names of all that is shown and can be annotated, images among it.
    """

    targets: tuple[Target, ...]
    objects: frozenset[str] = frozenset()

    def target(self, image: str) -> Target | None:
        """Return the target of the ``Image`` tag called ``image``, ``None`` where it has none."""
        return next((found for target in self.targets if (found := target.of_image(image)) is not None), None)

    def has_object(self, name: str) -> bool:
        """Return whether something that is shown is called ``name``, in a ``Repeater`` with any index."""
        return any(name == own or ("{" in own and name.startswith(own.partition("{")[0])) for own in self.objects)

    @property
    def labels(self) -> tuple[Label, ...]:
        """All labels of all images; of equal ones the first."""
        return _unique(label for target in self.targets for label in target.labels)

    def in_order(self, pages: Iterable[PageId]) -> list[PageId]:
        """Sort pages by the order of the ``Image`` tags, those of a list by their place."""

        def place(page: PageId) -> tuple[int, int]:
            tags = (number for number, target in enumerate(self.targets) if target.of_image(page.image) is not None)
            return next(tags, len(self.targets)), page.item_index

        return sorted(pages, key=place)

    def for_task(self, data: Mapping[str, Any]) -> LabelConfig:
        """Return this configuration with the labels that the task brings."""
        return replace(self, targets=tuple(target.for_task(data) for target in self.targets))


def parse_label_config(xml: str) -> LabelConfig:
    """Read a project's labelling configuration.

    Args:
        xml: The configuration as Label Studio sends it.

    Raises:
        LabelConfigError: If it is not XML, declares entities, or has no image with controls for text regions.
    """
    parsed = _parse(xml)
    return LabelConfig(tuple(target for _, target in parsed.images if target is not None), parsed.objects)


def unserved_controls(xml: str) -> list[Unserved]:
    """Return the controls of the images that get no pre-labels, in their order.

    Raises:
        LabelConfigError: See :func:`parse_label_config`.
    """
    parsed = _parse(xml)
    found: dict[str, Unserved] = {}
    for image, target in parsed.images:
        if target is None:
            nested = len(image.repeaters) > 1
            why = say("it stands in a Repeater in a Repeater") if nested else say("no control draws text regions on it")
            found.setdefault(image.name, Unserved("Image", image.name, why))
            continue
        used = frozenset(target.text_of(label) for label in (None, *(each.value for each in target.labels)))
        for tag in parsed.controls.get(image.name, ()):
            if tag.name not in found and (reason := _why_not(tag, target, used)) is not None:
                found[tag.name] = Unserved(str(tag.element.tag), tag.name, reason)
    return list(found.values())


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A configuration's images, each with its target if it has one, and the controls by the names in their toName."""

    images: tuple[tuple[_Tag, Target | None], ...]
    controls: Mapping[str, Sequence[_Tag]]
    objects: frozenset[str]


def _parse(xml: str) -> _Parsed:
    """Read a configuration.

    Raises:
        LabelConfigError: See :func:`parse_label_config`.
    """
    if len(xml) > MOST_CHARACTERS:
        raise _too_large()
    try:
        root: Element = fromstring(xml, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise LabelConfigError(
            say("The labelling configuration is not XML that can be read safely."), REMEDY
        ) from error
    tags = list(_tags(root, ()))
    images = [tag for tag in tags if tag.kind == "image" and _variable(tag.element)]
    if not images:
        raise LabelConfigError(say('The labelling configuration has no <Image> with a value such as "$image".'), REMEDY)
    controls: dict[str, list[_Tag]] = {}
    for tag in tags:
        for name in dict.fromkeys(_names(tag.element.get("toName"))) if tag.name else ():
            controls.setdefault(name, []).append(tag)
    if len(images) > MOST_IMAGES or sum(len(controls.get(image.name, ())) for image in images) > MOST_CONTROLS:
        raise _too_large()
    found = tuple((image, _target(image, controls.get(image.name, ()))) for image in images)
    if not any(target is not None for _, target in found):
        raise LabelConfigError(
            say("The labelling configuration has no control that draws text regions on an image."), REMEDY
        )
    return _Parsed(found, controls, frozenset(_objects(tags)))


def _too_large() -> LabelConfigError:
    return LabelConfigError(
        say("The labelling configuration is too large to be read within a request."),
        say(
            "Use at most {images:,} <Image> tags, {controls:,} controls for them all, and {levels} levels of tags.",
            images=MOST_IMAGES,
            controls=MOST_CONTROLS,
            levels=MOST_LEVELS,
        ),
    )


@dataclass(frozen=True)
class _Tag:
    """A tag and the tags that it stands in, the root first.

    What a control says is read once, however many images it is for.
    """

    element: Element
    around: tuple[Element, ...]

    @cached_property
    def labels(self) -> tuple[Label, ...]:
        return _labels(self.element)

    @cached_property
    def text(self) -> TextControl:
        return _text_control(self)

    @cached_property
    def kind(self) -> str:
        return str(self.element.tag).lower()

    @property
    def name(self) -> str:
        return self.element.get("name", "")

    @property
    def repeaters(self) -> list[Element]:
        return [element for element in self.around if str(element.tag).lower() == "repeater"]


def _tags(element: Element, around: tuple[Element, ...]) -> Iterator[_Tag]:
    pending = [_Tag(element, around)]
    while pending:
        tag = pending.pop()
        if len(tag.around) > MOST_LEVELS:
            raise _too_large()
        yield tag
        pending += [_Tag(child, (*tag.around, tag.element)) for child in reversed(tag.element)]


def _objects(tags: Iterable[_Tag]) -> list[str]:
    """Return the names of all that can be annotated: what shows a value of the task and is no control."""
    return [tag.name for tag in tags if tag.name and not tag.element.get("toName") and _variable(tag.element)]


def _target(image: _Tag, own: Sequence[_Tag]) -> Target | None:
    """Choose the controls of one image: labelled rectangles first, then polygons, then labels and shapes apart."""
    repeaters = image.repeaters
    if len(repeaters) > 1:
        return None
    texts = tuple(tag.text for tag in own if tag.kind == "textarea" and _is_true(tag.element.get("perRegion")))
    groups = [
        Group(kind, tag.name, tag.name, outline, tag.labels, _labels_key(tag.element))
        for kind, outline in _DRAWING_LABELS
        for tag in own
        if tag.kind == kind
    ]
    shapes = [(tag, outline) for outline in _OUTLINES for tag in own if tag.kind == outline]
    if shapes:
        shape, outline = shapes[0]
        apart = [tag for tag in own if tag.kind == "labels"]
        groups += [
            Group("labels", shape.name, tag.name, outline, tag.labels, _labels_key(tag.element)) for tag in apart
        ]
        if not apart and (texts or groups):
            groups.append(Group("labels", shape.name, None, outline))
    if not groups:
        return None
    drawn_with = {group.shape for group in groups} | {group.label for group in groups}
    texts = tuple(
        replace(text, groups=None) if text.groups and not text.hides and text.groups.isdisjoint(drawn_with) else text
        for text in texts
    )
    repeater = repeaters[0] if repeaters else None
    return Target(
        image=image.name,
        value_key=_variable(image.element),
        groups=tuple(groups),
        texts=texts,
        value_list=bool(image.element.get("valueList")),
        pre_labels=_PRE_LABELS.get((image.element.get("preLabels") or "").strip().lower()),
        repeat_key=_dollar(repeater.get("on")) if repeater is not None else None,
        index_flag=(repeater.get("indexFlag") or INDEX_FLAG) if repeater is not None else INDEX_FLAG,
    )


def _text_control(tag: _Tag) -> TextControl:
    """Read when a ``TextArea`` is shown: for its own conditions, and those of the views around it."""
    own = tag.element
    visible = _visible_when(own)
    is_dropped = visible in _ON_CHOICE or bool(own.get("whenChoiceValue"))
    hides = visible == "region-selected"
    labels = _labels_of_condition(own)
    groups = _names_of_condition(own) if not is_dropped else None
    waits = False
    for view in tag.around:
        visible = _visible_when(view)
        is_dropped |= visible == "no-region-selected"
        waits |= visible in _ON_CHOICE or (not visible and bool(view.get("whenChoiceValue")))
        if visible != "region-selected":
            continue
        if (wanted := _labels_of_condition(view)) is not None:
            labels = wanted if labels is None else labels & wanted
        if (named := _names_of_condition(view)) is not None:
            groups, hides = named if groups is None else groups & named, True
    return TextControl(tag.name, labels, groups, hides and groups is not None, waits, is_dropped)


def _visible_when(element: Element) -> str:
    return (element.get("visibleWhen") or "").strip().lower()


def _labels_of_condition(element: Element) -> frozenset[str] | None:
    """Read ``whenLabelValue``: one label, which may hold a comma, or several."""
    value = element.get("whenLabelValue")
    return None if value is None else frozenset({value, *value.split(",")})


def _names_of_condition(element: Element) -> frozenset[str] | None:
    return frozenset({value}) if (value := element.get("whenTagName")) else None


def _why_not(tag: _Tag, target: Target, texts: Collection[str | None]) -> Words | None:
    """Return why a control of an image gets no pre-labels; ``None`` where it does.

    Args:
        tag: The control.
        target: The image's.
        texts: The controls that hold texts.
    """
    served = {group.shape for group in target.groups} | {group.label for group in target.groups}
    if tag.kind == "textarea":
        text = next((text for text in target.texts if text.name == tag.name), None)
        if text is None:
            return say('it is about the whole image: only what is perRegion="true" holds the text of a region')
        if text.is_dropped:
            return say("it shows only after a choice, and Label Studio drops what hidden controls hold")
        if tag.name not in texts:
            return say("another TextArea holds the text of the same regions")
        return None
    if tag.name in served:
        group = next((group for group in target.groups if group.label == tag.name), None)
        twice = [label.value for label in group.labels if target.group_of(label.value) is not group] if group else []
        if twice:
            return say("another control has its labels {labels}, and comes first", labels=", ".join(twice))
        return None
    if tag.kind in _OUTLINES:
        return say("regions are drawn with another control; what is drawn with this one is learned from all the same")
    if tag.kind == "labels":
        return say("it labels, but no Rectangle or Polygon of the image draws")
    if tag.kind.startswith("ellipse"):
        return say("ellipses are not drawn here; what people draw with them is learned from all the same")
    if tag.kind.startswith(_OTHER_SHAPES):
        return say("its regions have no outline of a text, and nothing is learned from them")
    if tag.kind in _WHOLE:
        return say("it is about the whole document, and stays as people leave it")
    return say("it is not for text on images")


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


def _labels_key(control: Element) -> str | None:
    return _dollar(control.get("value")) or None


def _is_true(value: str | None) -> bool:
    return (value or "").strip().lower() == "true"


def _names(to_name: str | None) -> list[str]:
    return [name.strip() for name in (to_name or "").split(",")]


def _variable(image: Element) -> str:
    return _dollar(image.get("valueList")) or _dollar(image.get("value"))


def _dollar(value: str | None) -> str:
    """Return the task key of ``$key``; the empty string where there is none."""
    value = (value or "").strip()
    return value[1:] if value.startswith("$") else ""


def _lookup(data: Mapping[str, Any], key: str) -> object:
    """Follow a key into a task's data, such as ``pages[0].image``; a key of exactly that name wins."""
    if key in data:
        return data[key]
    value: object = data
    for part in _path(key):
        if isinstance(part, int):
            value = value[part] if isinstance(value, list) and part < len(value) else None
        else:
            value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _path(key: str) -> list[str | int]:
    """Split a key at its dots and indices: ``pages[0].image`` is ``pages``, 0, ``image``."""
    parts: list[str | int] = []
    for name, index in _PART.findall(key):
        parts.append(int(index) if index else name)
    return parts


def _put(data: dict[str, Any], path: Sequence[str | int], value: str) -> None:
    """Set a value in nested data, and make what lies on the way."""
    at: Any = data
    for part, following in zip(path, (*path[1:], None), strict=True):
        fresh: Any = value if following is None else [] if isinstance(following, int) else {}
        if isinstance(part, int):
            at.extend({} for _ in range(part + 1 - len(at)))
            at[part] = fresh if following is None or not at[part] else at[part]
        elif following is None:
            at[part] = value
        else:
            at.setdefault(part, fresh)
        at = at[part]
