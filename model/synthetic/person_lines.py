"""What a card says about a person: name, degrees, position, department."""

from __future__ import annotations

from dataclasses import replace

from model.synthetic.chance import Chance
from model.synthetic.content import Span, TextLine, outside
from model.synthetic.jobs import draw_degrees, draw_department, draw_position
from model.synthetic.people import Person

ACADEMIC = frozenset({"education", "university", "medical"})


def person_lines(chance: Chance, locale: str, trade: str, person: Person) -> list[TextLine]:
    """Draw the lines of one person."""
    printed = list(person.printed)
    if person.honorific:
        tight = chance.odds(0.15) and person.honorific.endswith(".")
        printed[0] = f"{person.honorific}{'' if tight else ' '}{printed[0]}"
    if chance.odds(0.05):
        printed[-1] += ","
    lines = [TextLine((Span(line, "NAME"),), "name") for line in printed]
    position = draw_position(chance, locale, trade) + ("," if chance.odds(0.04) else "")
    if chance.feature("degrees", 2.0 if trade in ACADEMIC else 0.7):
        _add_degrees(chance, lines, draw_degrees(chance, locale, trade))
    if chance.feature("name_with_position"):
        return [_with_position(chance, lines[0], position)]
    lines += _position_lines(chance, locale, trade, position)
    if chance.odds(0.04):
        lines.insert(0, lines.pop())
    return lines


def _add_degrees(chance: Chance, lines: list[TextLine], degrees: str) -> None:
    """Put degrees behind the name or below it; they belong to no field."""
    if chance.odds(0.5):
        name = lines[-1].spans[0].text.rstrip(",")
        joint = chance.pick((", ", " ", ", ", " - ", ","))
        spans = (Span(name, "NAME"), Span(f"{joint}{degrees}"))
        if joint == ", ":
            spans = (Span(f"{name},", "NAME"), Span(f" {degrees}"))
        lines[-1] = replace(lines[-1], spans=spans)
    else:
        lines.append(outside(degrees, "small"))


def _with_position(chance: Chance, line: TextLine, position: str) -> TextLine:
    name = line.spans[0].text.rstrip(",")
    joint = chance.pick((", ", " - ", " | ", " / ", ", ", " (", " – "))
    if joint == ", ":
        return replace(line, spans=(Span(f"{name},", "NAME"), Span(" "), Span(position, "POSITION")))
    if joint == " (":
        return replace(line, spans=(Span(name, "NAME"), Span(" "), Span(f"({position.strip('(),')})", "POSITION")))
    return replace(line, spans=(Span(name, "NAME"), Span(joint), Span(position, "POSITION")))


def _position_lines(chance: Chance, locale: str, trade: str, position: str) -> list[TextLine]:
    department = draw_department(chance, locale, trade)
    if chance.feature("position_with_department"):
        joint = chance.pick((", ", " - ", ", ", " | ", " / ", ", "))
        spans = (Span(position, "POSITION"), Span(joint + department))
        if joint == ", ":
            spans = (Span(f"{position.rstrip(',')},", "POSITION"), Span(f" {department}"))
        return [TextLine(spans, "title")]
    if not chance.odds(0.9) and not chance.wanted & {"two_positions", "department"}:
        return []
    lines = [TextLine((Span(position, "POSITION"),), "title")]
    if chance.feature("two_positions"):
        lines.append(TextLine((Span(draw_position(chance, locale, trade), "POSITION"),), "title"))
    if chance.feature("department"):
        lines.append(outside(department, chance.pick(("title", "small", "body"))))
    return lines
