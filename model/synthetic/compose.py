"""Decides what a card says."""

from __future__ import annotations

from dataclasses import replace

from model.synthetic.chance import Chance
from model.synthetic.companies import Company, draw_company, draw_trade
from model.synthetic.contact_lines import contact_lines
from model.synthetic.contacts import draw_domain, draw_label, draw_phone, draw_profile
from model.synthetic.content import Content, Span, TextLine
from model.synthetic.jobs import draw_degrees, draw_department, draw_position
from model.synthetic.lexicon import lexicon
from model.synthetic.locales import is_cyrillic, tongue
from model.synthetic.people import Person, draw_person
from model.synthetic.places import draw_address, draw_city

_ACADEMIC = frozenset({"education", "university", "medical"})


def compose(chance: Chance, locale: str) -> Content:
    """Decide what one card of ``locale`` says.

    Args:
        chance: The card's draws.
        locale: One of :data:`model.synthetic.locales.LOCALES`.
    """
    content = Content(locale)
    trade = draw_trade(chance)
    company = draw_company(chance, locale, trade)
    domain = draw_domain(chance, locale, company.brand, company.initials)
    shop = chance.feature("shop") and "two_people" not in chance.wanted
    person = None if shop and chance.odds(0.35) else draw_person(chance, locale, doctor=trade in _ACADEMIC)

    content.put("brand", _brand_lines(chance, company))
    if chance.feature("logo_text"):
        content.put("mark_text", [_logo_line(chance, company)])
    if chance.feature("slogan"):
        content.put("slogan", [_outside(_slogan(chance, locale, trade), "slogan")])
    if person:
        content.put("person", _person_lines(chance, locale, trade, person))
        if chance.feature("two_people"):
            second = draw_person(chance, locale, doctor=trade in _ACADEMIC)
            lines = _person_lines(chance, locale, trade, second)
            if chance.odds(0.5):
                lines.append(TextLine((Span(draw_phone(chance, locale), "PHONE"),)))
            content.put("person2", lines)
    content.put("contact", contact_lines(chance, locale, person, company.brand, domain))
    content.put("address", _address_lines(chance, locale, company))
    if chance.feature("two_offices"):
        content.put("address2", _office_lines(chance, locale))
        if "address" in content.blocks and chance.odds(0.6):
            heading = chance.pick(
                ("Head Office:", "Corporate Office", "Regd. Office :", "Office", "H.O.:", "Main Office")
            )
            content.put("address", [_outside(heading, "heading"), *content.blocks["address"].lines])
    if chance.feature("services", 2.2 if shop else 0.8):
        content.put("services", _service_lines(chance, locale, trade))
    content.put("extras", _extra_lines(chance, locale, company))
    if chance.feature("second_script"):
        _add_second_script(chance, content, company, person)
    if chance.feature("phone_beside_name"):
        number = Span(draw_phone(chance, locale), "PHONE")
        label = chance.pick(("Cell : ", "Mobile: ", "Mob: ", "", "Ph: ", "M : ", "Cell:"))
        content.put("corner", [TextLine((Span(label), number) if label and not is_cyrillic(locale) else (number,))])
    if chance.feature("handwriting"):
        note = chance.pick(
            (
                "call back monday",
                "met at the fair",
                "smart person",
                "discuss price",
                chance.digits("98########"),
                "Ref: Ramesh",
                "important",
                "2nd meeting",
                "ok",
                "send quote",
            )
        )
        content.put("note", [_outside(note, "handwriting")])
    if chance.feature("scanner_mark"):
        content.put("scanner", _scanner_lines(chance))
    content.features = chance.shown
    return content


def _outside(text: str, style: str = "body", icon: str = "") -> TextLine:
    return TextLine((Span(text),), style, icon)


def _brand_lines(chance: Chance, company: Company) -> list[TextLine]:
    name = company.name
    if chance.feature("company_split") and len(name.split()) > 2:
        words = name.split()
        cut = chance.pick((len(words) - 1, len(words) // 2, max(1, len(words) - 2)))
        # A breaks before a legal form or the trade, seldom inside the brand.
        first, second = " ".join(words[:cut]), " ".join(words[cut:])
        return [
            TextLine((Span(first, "COMPANY"),), "company"),
            TextLine((Span(second, "COMPANY"),), chance.pick(("company", "company_small"))),
        ]
    return [TextLine((Span(name, "COMPANY"),), "company")]


def _logo_line(chance: Chance, company: Company) -> TextLine:
    """Draw the letters of a logo: an acronym or a short brand names the company, one or two letters do not."""
    word = company.brand.split()[0].strip("«»\"„“',.")
    if 3 <= len(word) <= 9 and chance.odds(0.35):
        return TextLine((Span(word, "COMPANY"),), "mark")
    letters = company.initials[: chance.between(1, 4)]
    return TextLine((Span(letters, "COMPANY" if len(letters) > 2 else ""),), "mark")


def _slogan(chance: Chance, locale: str, trade: str) -> str:
    if is_cyrillic(locale):
        slogan = chance.pick(lexicon(f"words_{tongue(locale)}")["slogans"])
    else:
        native = lexicon("words_world").get(f"slogans_{tongue(locale)}")
        slogan = chance.pick(native if native and chance.odds(0.6) else lexicon("industries_en")[f"{trade}.slogans"])
    return chance.weigh(
        {
            slogan: 5.0,
            slogan.upper(): 0.8,
            f"“{slogan}”": 0.3,
            f'"{slogan}"': 0.3,
            f"{slogan}.": 0.7,
            f"{slogan}...": 0.3,
            slogan.title(): 0.6,
            f"{slogan}!": 0.3,
        }
    )


def _person_lines(chance: Chance, locale: str, trade: str, person: Person) -> list[TextLine]:
    printed = list(person.printed)
    if person.honorific:
        printed[0] = (
            f"{person.honorific}{'' if chance.odds(0.15) and person.honorific.endswith('.') else ' '}{printed[0]}"
        )
    lines = [TextLine((Span(line, "NAME"),), "name") for line in printed]
    position = draw_position(chance, locale, trade)
    if chance.feature("degrees", 2.0 if trade in _ACADEMIC else 0.7):
        degrees = draw_degrees(chance, locale, trade)
        if chance.odds(0.5):
            joint = chance.pick((", ", " ", ", ", " - ", ","))
            lines[-1] = replace(lines[-1], spans=(Span(printed[-1] + joint.rstrip(), "NAME"), Span(" " + degrees)))
            if joint == ",":
                lines[-1] = replace(lines[-1], spans=(Span(printed[-1], "NAME"), Span(f", {degrees}")))
        else:
            lines.append(_outside(degrees, "small"))
    if chance.feature("name_with_position") and len(lines) == 1:
        joint = chance.pick((", ", " - ", " | ", " / ", ", "))
        name = lines[0].spans[0]
        joined = (replace(name, text=name.text + ","), Span(" ")) if joint == ", " else (name, Span(joint))
        return [TextLine((*joined, Span(position, "POSITION")), "name")]
    department = draw_department(chance, locale, trade)
    if chance.feature("position_with_department"):
        joint = chance.pick((", ", " - ", ", ", " | ", " / "))
        lines.append(
            TextLine(
                (
                    Span(position + joint.strip() if joint == ", " else position, "POSITION"),
                    Span(" " + department if joint == ", " else joint + department),
                ),
                "title",
            )
        )
    elif chance.odds(0.9):
        lines.append(TextLine((Span(position, "POSITION"),), "title"))
        if chance.odds(0.07):
            lines.append(TextLine((Span(draw_position(chance, locale, trade), "POSITION"),), "title"))
        if chance.feature("department"):
            lines.append(_outside(department, chance.pick(("title", "small", "body"))))
    if chance.odds(0.03):
        lines.insert(0, lines.pop())
    return lines


def _address_lines(chance: Chance, locale: str, company: Company) -> list[TextLine]:
    if chance.odds(0.1):
        return []
    lines = [TextLine((Span(line, "ADDRESS"),)) for line in draw_address(chance, locale)]
    if chance.odds(0.14):
        label = Span(draw_label(chance, locale, "address") + chance.pick((": ", " : ", ":", ": ")))
        lines[0] = replace(lines[0], spans=(label, *lines[0].spans))
    if chance.feature("icons"):
        lines[0] = replace(lines[0], icon="pin")
    if chance.feature("company_repeated"):
        # The logo shows the brand, the address block begins with the name in full.
        lines.insert(0, TextLine((Span(company.name, "COMPANY"),), "subhead"))
    return lines


def _office_lines(chance: Chance, locale: str) -> list[TextLine]:
    heading = chance.pick(
        (
            "Branch Office:",
            "Branch :",
            "Works:",
            "Factory",
            "Res :",
            "Regional Office",
            "Residence:",
            "City Office",
            draw_city(chance, locale),
            "Also at:",
        )
    )
    if is_cyrillic(locale):
        heading = chance.pick(("Филиал:", "Склад:", "Магазин:", draw_city(chance, locale)))
    lines = [_outside(heading, "heading")] if chance.odds(0.75) else []
    lines += [TextLine((Span(line, "ADDRESS"),)) for line in draw_address(chance, locale)]
    if chance.odds(0.6):
        label = Span(draw_label(chance, locale, "office") + chance.pick((": ", " : ", ":")))
        lines.append(TextLine((label, Span(draw_phone(chance, locale, "office"), "PHONE"))))
    return lines


def _service_lines(chance: Chance, locale: str, trade: str) -> list[TextLine]:
    if is_cyrillic(locale):
        stock = lexicon(f"words_{tongue(locale)}")["services"]
    else:
        stock = lexicon("industries_en")[f"{trade}.services"]
    offered = chance.some(stock, chance.between(2, 8))
    if chance.odds(0.15):
        offered = [service.upper() for service in offered]
    if chance.odds(0.35):
        bullet = chance.pick(("• ", "- ", "", "* ", "» ", "✓ ", "■ ", "> ", "1. "))
        lines = [
            _outside(f"{bullet if bullet != '1. ' else f'{n}. '}{service}", "small")
            for n, service in enumerate(offered, 1)
        ]
    else:
        joint = chance.pick((" | ", ", ", " • ", " / ", " - ", " * ", " & ", " + ", ", "))
        per_line = chance.between(2, 4)
        lines = [_outside(joint.join(offered[i : i + per_line]), "small") for i in range(0, len(offered), per_line)]
    if chance.odds(0.25) and not is_cyrillic(locale):
        lines.insert(
            0,
            _outside(
                chance.pick(
                    (
                        "Our Services:",
                        "Specialists in:",
                        "We undertake all kinds of",
                        "Dealers in :",
                        "Services",
                        "Mfrs. of",
                        "We Offer",
                        "Deals in:",
                        "Authorised dealers for",
                        "Speciality:",
                        "Stockists of",
                        "Manufacturers & Suppliers of",
                        "Expertise in",
                    )
                ),
                "heading",
            ),
        )
    return lines


def _extra_lines(chance: Chance, locale: str, company: Company) -> list[TextLine]:
    words, lines = lexicon("titles_en"), []
    if is_cyrillic(locale):
        if chance.feature("registration", 1.3):
            lines.append(_outside(chance.pick(lexicon(f"words_{tongue(locale)}")["extras"]), "small"))
    else:
        if chance.feature("registration"):
            lines.append(_outside(chance.pick(words["certificates"]), "small"))
        if chance.feature("opening_hours"):
            lines.append(_outside(chance.pick(words["hours"]), "small"))
        if chance.feature("call_to_action"):
            lines.append(_outside(chance.pick(words["calls"]), chance.pick(("small", "slogan"))))
        if chance.feature("group_line"):
            other = draw_company(Chance(chance.rng), locale, company.trade).name
            lines.append(
                _outside(
                    chance.pick(
                        (
                            f"A {other} Company",
                            f"A subsidiary of {other}",
                            f"A unit of {other}",
                            f"Member of {other}",
                            f"(A Division of {other})",
                            f"Authorised Distributor: {other}",
                            f"In association with {other}",
                            f"Franchisee of {other}",
                            f"A member of the {company.brand} Group",
                        )
                    ),
                    "small",
                )
            )
    if chance.feature("branches"):
        cities = list(dict.fromkeys(draw_city(chance, locale) for _ in range(chance.between(3, 7))))
        head = (
            ""
            if is_cyrillic(locale)
            else chance.pick(("Branches: ", "Plants at: ", "Offices: ", "", "Also at ", "Our Branches : ", ""))
        )
        lines.append(_outside(head + chance.pick((", ", " | ", " • ", " - ")).join(cities), "small"))
    if chance.feature("social"):
        for _ in range(chance.between(1, 2)):
            text, field = draw_profile(chance, company.brand)
            lines.append(TextLine((Span(text, field),), "body", "share" if chance.feature("icons") else ""))
    return lines


def _add_second_script(chance: Chance, content: Content, company: Company, person: Person | None) -> None:
    if is_cyrillic(content.locale):
        # Names in Latin letters beside the Cyrillic ones are names all the same.
        if company.latin.strip() and company.latin != company.name and "brand" in content.blocks:
            content.put(
                "brand", [*content.blocks["brand"].lines, TextLine((Span(company.latin, "COMPANY"),), "company_small")]
            )
        if person and person.latin.strip() and "person" in content.blocks and chance.odds(0.6):
            content.put("person", [*content.blocks["person"].lines, TextLine((Span(person.latin, "NAME"),), "subhead")])
    elif content.locale == "en_IN":
        words = lexicon("second_script")
        script = chance.pick(tuple(words))
        lines = [
            _outside(" ".join(chance.some(words[script], chance.between(2, 4))), "native")
            for _ in range(chance.between(1, 2))
        ]
        content.put("native", lines)


def _scanner_lines(chance: Chance) -> list[TextLine]:
    app = chance.pick(
        ("PaperSnap", "QuickScan", "DocPal", "ScanMate", "PageLens", "CardCam", "EasyScan", "LensDoc", "SnapDoc")
    )
    text = chance.pick(
        (
            f"Scanned with {app}",
            f"Scanned by {app}",
            f"Created with {app}",
            f"{app}",
            f"Scanned with|{app}",
            f"{app[0]}S|Scanned with|{app}",
            f"Scan by {app} app",
        )
    )
    return [_outside(part, "scanner") for part in text.split("|")]
