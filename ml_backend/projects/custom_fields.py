"""A project's own fields: a label in its labelling configuration, with its other names, and how much it matters."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree.ElementTree import (
    Element,
    SubElement,
    TreeBuilder,
    XMLParser,
    fromstring,
    tostring,
)

from ml_backend.errors import LabelConfigError
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.projects.projects import Projects
from ml_backend.store.options import CustomField, ProjectOptions

#: Dark enough to be read as a tag's text, and unlike each other; given out in turn.
_COLOURS = ("#00695C", "#4527A0", "#9E9D24", "#D84315", "#283593", "#558B2F", "#6D4C41", "#37474F")
_CONTROLS = ("rectanglelabels", "polygonlabels", "labels")


@dataclass(frozen=True, slots=True)
class FieldChange:
    """What adding a field came to.

    Attributes:
        field: As it is now.
        changed: Whether the labelling configuration was.
        labels: All labels of the project.
    """

    field: CustomField
    changed: bool
    labels: tuple[str, ...]


class CustomFields:
    """Adds fields to projects; threads may share it.

    Args:
        projects: Label Studio.
        options: Where fields are kept.
    """

    def __init__(self, projects: Projects, options: ProjectOptions) -> None:
        self._projects = projects
        self._options = options

    def add(self, project_id: int, field: CustomField) -> FieldChange:
        """Give a project a field, or change the other names and the weight of one that it has; safe to repeat.

        Raises:
            LabelConfigError: If the labelling configuration has no control that labels.
            LabelStudioError: If Label Studio does not answer or refuses.
            StoreError: If the field cannot be kept.
        """
        client = self._projects.reach()
        before = client.project(project_id).label_config
        after = with_label(before, field)
        if after != before:
            client.update_project(project_id, label_config=after)
        self._options.remember_label_config(project_id, after)
        self._options.save_fields(project_id, [field])
        labels = parse_label_config(after).targets[0].labels
        return FieldChange(field, after != before, tuple(label.value for label in labels))

    def list(self, project_id: int) -> tuple[CustomField, ...]:
        """Return the fields that were added.

        Raises:
            StoreError: If the store cannot be read.
        """
        return self._options.fields(project_id)


def with_label(label_config: str, field: CustomField) -> str:
    """Return a labelling configuration that has a label; the very same where it has it already.

    Comments stay, and so does everything that is not the label's.

    Args:
        label_config: XML.
        field: Its label is called as it is; its other names go into ``predicted_values``.

    Raises:
        LabelConfigError: If it is not XML that can be used, or has no control that labels.
    """
    target = parse_label_config(label_config).targets[0]
    named = [group.label for group in target.groups if group.label is not None]
    parser = XMLParser(target=TreeBuilder(insert_comments=True))  # noqa: S314 - entities were refused just now
    root: Element = fromstring(label_config, parser)  # noqa: S314
    controls = [e for e in root.iter() if _tag(e) in _CONTROLS and e.get("name") in named]
    if not controls:
        raise LabelConfigError(
            "The labelling configuration has no control that labels regions.",
            "Add <Labels> or <RectangleLabels> with toName of the image.",
        )
    control = min(controls, key=lambda each: named.index(each.get("name", "")))
    labels = [each for each in control.iter() if _tag(each) == "label"]
    everywhere = [each for own in controls for each in own.iter() if _tag(each) == "label"]
    wanted = ",".join(field.aliases)
    own = next((each for each in everywhere if field.name in (each.get("alias"), each.get("value"))), None)
    if own is not None and (own.get("predicted_values") or "") == wanted:
        return label_config
    if own is None:
        own = SubElement(control, "Label", value=field.name, background=_COLOURS[len(labels) % len(_COLOURS)])
        if labels:
            own.tail, labels[-1].tail = labels[-1].tail, labels[0].tail or labels[-1].tail
    if wanted:
        own.set("predicted_values", wanted)
    else:
        own.attrib.pop("predicted_values", None)
    return tostring(root, encoding="unicode")


def _tag(element: Element) -> str:
    # The tag of a comment is a function.
    return str(element.tag).lower()
