"""Decides what a card says."""

from __future__ import annotations

from dataclasses import replace

from model.synthetic.brand_lines import brand_lines, draw_slogan, logo_line
from model.synthetic.chance import Chance
from model.synthetic.companies import draw_company, draw_trade
from model.synthetic.contact_lines import contact_lines
from model.synthetic.content import Block, Content, Span, TextLine, outside
from model.synthetic.lexicon import lexicon
from model.synthetic.locales import is_cyrillic
from model.synthetic.online import draw_domain
from model.synthetic.people import draw_person
from model.synthetic.person_lines import ACADEMIC, person_lines
from model.synthetic.phones import draw_phone
from model.synthetic.place_lines import address_lines, office_lines
from model.synthetic.side_lines import (
    add_second_script,
    extra_lines,
    note_lines,
    scanner_lines,
    screen_lines,
    service_lines,
)
from model.synthetic.template import make_template

# Features that need somebody on the card.
_OF_A_PERSON = frozenset(
    {
        "degrees",
        "honorific",
        "two_people",
        "name_in_capitals",
        "name_with_position",
        "position_with_department",
        "department",
    }
    | {"two_positions", "template"}
)


def compose(chance: Chance, locale: str) -> Content:
    """Decide what one card of ``locale`` says.

    Args:
        chance: The card's draws.
        locale: One of :data:`model.synthetic.locales.LOCALES`.
    """
    content = Content(locale)
    trade = "university" if chance.wanted & {"government", "school"} else draw_trade(chance)
    company = draw_company(chance, locale, trade)
    domain = draw_domain(chance, locale, company.brand, company.initials)
    shop = chance.feature("shop")
    nobody = chance.feature("no_person", 2.5 if shop else 1.0) and not chance.wanted & _OF_A_PERSON
    person = None if nobody else draw_person(chance, locale, doctor=trade in ACADEMIC)

    if not chance.feature("no_company"):
        content.put("brand", brand_lines(chance, locale, company))
    if chance.feature("logo_text"):
        content.put("mark_text", [logo_line(chance, company)])
    if chance.feature("slogan"):
        content.put("slogan", [outside(draw_slogan(chance, locale, trade), "slogan")])
    if person:
        content.put("person", person_lines(chance, locale, trade, person))
    if person and chance.feature("two_people"):
        second = draw_person(chance, locale, doctor=trade in ACADEMIC)
        lines = person_lines(chance, locale, trade, second)
        if chance.odds(0.5):
            lines.append(TextLine((Span(draw_phone(chance, locale), "PHONE"),)))
        content.put("person2", lines)
    content.put("contact", contact_lines(chance, locale, person, domain))
    content.put("address", address_lines(chance, locale, company))
    if chance.feature("two_offices"):
        content.put("address2", office_lines(chance, locale))
        if chance.feature("three_offices"):
            content.put("address3", office_lines(chance, locale))
    if chance.feature("services", 4.0 if shop else 0.6):
        content.put("services", service_lines(chance, locale, trade))
    content.put("extras", extra_lines(chance, locale, company))
    if chance.feature("second_script"):
        add_second_script(chance, content, company, person)
    if chance.feature("template") and not is_cyrillic(locale):
        make_template(chance, content)
    if chance.feature("all_capitals"):
        _capitalise(content)
    _put_around(chance, content)
    content.features = chance.shown
    return content


def _capitalise(content: Content) -> None:
    """Print everything in capitals except e-mail addresses and web sites."""

    def upper(span: Span) -> Span:
        return span if span.field in ("EMAIL", "WEBSITE") else replace(span, text=span.text.upper())

    for role, block in content.blocks.items():
        content.blocks[role] = Block(
            tuple(replace(line, spans=tuple(upper(span) for span in line.spans)) for line in block.lines)
        )


def _put_around(chance: Chance, content: Content) -> None:
    """Add what stands in corners and at edges, and what came onto the card after printing."""
    locale = content.locale
    if chance.feature("phone_beside_name"):
        number = Span(draw_phone(chance, locale), "PHONE")
        label = chance.pick(("Cell : ", "Mobile: ", "Mob: ", "", "Ph: ", "M : ", "Cell:", "Cell No. ", "Mob. "))
        plain = not label or is_cyrillic(locale)
        content.put("corner", [TextLine((number,) if plain else (Span(label), number))])
    if chance.feature("invocation") and locale == "en_IN":
        content.put("top", [outside(chance.pick(lexicon("phrases_en")["invocation"]), "small")])
    if chance.feature("handwriting"):
        content.put("note", note_lines(chance))
    if chance.feature("scanner_mark"):
        content.put("scanner", scanner_lines(chance))
    if chance.feature("screen_capture"):
        content.put("screen", screen_lines(chance))
