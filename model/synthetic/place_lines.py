"""What a card says about places: its address, other offices, branches."""

from __future__ import annotations

from dataclasses import replace

from model.synthetic.chance import Chance
from model.synthetic.companies import Company
from model.synthetic.content import Span, TextLine, outside
from model.synthetic.labels import draw_label
from model.synthetic.locales import is_cyrillic
from model.synthetic.phones import draw_phone
from model.synthetic.places import draw_address, draw_city

_HEADINGS = (
    "Branch Office:", "Branch :", "Works:", "Factory", "Res :", "Regional Office", "Residence:", "City Office",
    "Also at:",    "Godown:", "Showroom :", "Site Office:", "Unit II", "Clinic:", "Regd. Office:", "Liaison Office",
)  # fmt: skip
_HEADINGS_CYRILLIC = ("Филиал:", "Склад:", "Магазин:")
_MAIN = ("Head Office:", "Corporate Office", "Regd. Office :", "Office", "H.O.:", "Main Office", "Head Quarters")


def address_lines(chance: Chance, locale: str, company: Company) -> list[TextLine]:
    """Draw the lines of the main address; none on some cards."""
    repeated = chance.feature("company_repeated")
    if not repeated and chance.odds(0.1) and "two_offices" not in chance.wanted:
        return []
    lines = [TextLine((Span(line, "ADDRESS"),)) for line in draw_address(chance, locale)]
    if chance.feature("two_offices") and not is_cyrillic(locale) and chance.odds(0.6):
        lines.insert(0, outside(chance.pick(_MAIN), "heading"))
    elif chance.odds(0.14):
        label = Span(draw_label(chance, locale, "address") + chance.pick((": ", " : ", ":", ": ")))
        lines[0] = replace(lines[0], spans=(label, *lines[0].spans))
    if chance.feature("icons"):
        lines[0] = replace(lines[0], icon="pin")
    if repeated:
        # The logo shows the brand, the address block begins with the name in full.
        lines.insert(0, TextLine((Span(company.name, "COMPANY"),), "subhead"))
    return lines


def office_lines(chance: Chance, locale: str) -> list[TextLine]:
    """Draw the lines of another office."""
    heading = chance.pick(_HEADINGS_CYRILLIC if is_cyrillic(locale) else _HEADINGS)
    lines = [outside(heading, "heading")]
    kind = chance.weigh({"heading": 0.6, "city": 0.25, "none": 0.15})
    if kind == "city":
        city = draw_city(chance, locale)
        lines = [TextLine((Span(city.upper() if chance.odds(0.5) else city, "ADDRESS"),), "heading")]
    elif kind == "none":
        lines = []
    lines += [TextLine((Span(line, "ADDRESS"),)) for line in draw_address(chance, locale)]
    if chance.odds(0.6):
        label = Span(draw_label(chance, locale, "office") + chance.pick((": ", " : ", ":")))
        lines.append(TextLine((label, Span(draw_phone(chance, locale, "office"), "PHONE"))))
    return lines


def branch_line(chance: Chance, locale: str) -> TextLine:
    """Draw a list of towns: it is no address."""
    cities = list(dict.fromkeys(draw_city(chance, locale) for _ in range(chance.between(3, 7))))
    head = chance.pick(("Branches: ", "Plants at: ", "Offices: ", "", "Also at ", "Our Branches : ", "", "Network: "))
    joined = chance.pick((", ", " | ", " • ", " - ")).join(cities)
    return outside(joined if is_cyrillic(locale) else head + joined, "small")
