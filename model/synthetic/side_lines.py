"""What else stands on a card and belongs to no field: services, certificates, hours, other scripts, scanner marks."""

from __future__ import annotations

from model.synthetic.chance import Chance
from model.synthetic.companies import Company, draw_company
from model.synthetic.content import Content, Span, TextLine, outside
from model.synthetic.lexicon import lexicon
from model.synthetic.locales import is_cyrillic, tongue
from model.synthetic.online import draw_profile
from model.synthetic.people import Person
from model.synthetic.place_lines import branch_line

_BULLETS = ("• ", "- ", "", "* ", "» ", "✓ ", "■ ", "> ", "1. ", "❖ ", "o ")
_JOINTS = (" | ", ", ", " • ", " / ", " - ", " * ", " & ", " + ", ", ")
_SERVICE_HEADS = (
    "Our Services:", "Specialists in:", "We undertake all kinds of", "Dealers in :", "Services", "Mfrs. of", "We Offer",
    "Deals in:", "Authorised dealers for", "Speciality:", "Stockists of", "Manufacturers & Suppliers of",
    "Expertise in",    "Courses Offered:", "Facilities:", "Products", "All types of", "Our Products :", "Coaching for",
)  # fmt: skip
_APP_WORDS = (
    "Cam", "Doc", "Card", "Page", "Paper", "Photo", "Quick", "Easy", "Tiny", "Clear", "Office", "Mobile", "Snap",
    "Smart", "Pocket", "Turbo", "Rapid", "Genius", "My", "Fast", "Lens", "Note", "Pic", "Super", "Swift", "i",
)  # fmt: skip
_APP_ENDS = (
    "Scanner",
    "Scanner",
    "Scan",
    "Scan",
    "Scans",
    "Lens",
    "Pal",
    "Mate",
    "Doc",
    "Cam",
    "Snap",
    "Reader",
    "Copy",
)
_NOTES = (
    "call back monday", "met at the fair", "smart person", "discuss price", "98########", "Ref: Ramesh", "important",
    "2nd meeting", "ok", "send quote", "Tuesday 4 pm", "good contact", "new number", "boss", "see email",
)  # fmt: skip


def service_lines(chance: Chance, locale: str, trade: str) -> list[TextLine]:
    """Draw a list of services, one to a line or several."""
    stock = lexicon("industries_en")[f"{trade}.services"]
    if is_cyrillic(locale):
        stock = lexicon(f"words_{tongue(locale)}")["services"]
    offered = chance.some(stock, chance.between(2, 8))
    if chance.odds(0.15):
        offered = [service.upper() for service in offered]
    if chance.odds(0.35):
        bullet = chance.pick(_BULLETS)
        lines = [
            outside((f"{n}. " if bullet == "1. " else bullet) + each, "small") for n, each in enumerate(offered, 1)
        ]
    else:
        joint, per_line = chance.pick(_JOINTS), chance.between(2, 4)
        groups = [offered[i : i + per_line] for i in range(0, len(offered), per_line)]
        lines = [outside(joint.join(group), "small") for group in groups]
    if chance.odds(0.25) and not is_cyrillic(locale):
        lines.insert(0, outside(chance.pick(_SERVICE_HEADS), "heading"))
    return lines


def extra_lines(chance: Chance, locale: str, company: Company) -> list[TextLine]:
    """Draw certificates, hours, calls to action, the group, branches, social profiles."""
    words, lines = lexicon("titles_en"), []
    if is_cyrillic(locale):
        if chance.feature("registration", 1.3):
            lines.append(outside(chance.pick(lexicon(f"words_{tongue(locale)}")["extras"]), "small"))
    else:
        if chance.feature("registration"):
            lines.append(outside(chance.pick(words["certificates"]), "small"))
        if chance.feature("opening_hours"):
            lines.append(outside(chance.pick(words["hours"]), "small"))
        if chance.feature("call_to_action"):
            lines.append(outside(chance.pick(words["calls"]), chance.pick(("small", "slogan"))))
        if chance.feature("group_line"):
            lines.append(outside(_group(chance, locale, company), "small"))
    if chance.feature("branches"):
        lines.append(branch_line(chance, locale))
    if chance.feature("social"):
        for _ in range(chance.between(1, 2)):
            text, field = draw_profile(chance, company.brand)
            lines.append(TextLine((Span(text, field),), "body", "share" if chance.feature("icons") else ""))
    return lines


def _group(chance: Chance, locale: str, company: Company) -> str:
    other = draw_company(Chance(chance.rng), locale, company.trade).name
    return chance.pick(
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
            f"Powered by {other}",
        )
    )


def add_second_script(chance: Chance, content: Content, company: Company, person: Person | None) -> None:
    """Add the Latin names to a Cyrillic card, or a few words of another script to an Indian one."""
    if is_cyrillic(content.locale):
        # Names in Latin letters beside the Cyrillic ones are names all the same.
        if company.latin.strip() and company.latin != company.name and "brand" in content.blocks:
            latin = TextLine((Span(company.latin, "COMPANY"),), "company_small")
            content.put("brand", [*content.blocks["brand"].lines, latin])
        if person and person.latin.strip() and "person" in content.blocks and chance.odds(0.6):
            latin = TextLine((Span(person.latin, "NAME"),), "subhead")
            content.put("person", [*content.blocks["person"].lines, latin])
    elif content.locale == "en_IN":
        words = lexicon("second_script")
        script = words[chance.pick(tuple(words))]
        content.put(
            "native",
            [
                outside(" ".join(chance.some(script, chance.between(2, 4))), "native")
                for _ in range(chance.between(1, 2))
            ],
        )


def scanner_lines(chance: Chance) -> list[TextLine]:
    """Draw the mark that a scanning app leaves; the apps' names are put together from what such names are made of."""
    app = chance.pick(_APP_WORDS) + chance.pick(("", "", "", " ")) + chance.pick(_APP_ENDS)
    marks = (
        f"Scanned with {app}",
        f"Scanned by {app}",
        f"Created with {app}",
        app,
        f"Scanned with|{app}",
        f"{app[0]}S|Scanned with|{app}",
        f"Scan by {app} app",
    )
    return [outside(part, "scanner") for part in chance.pick(marks).split("|")]


def screen_lines(chance: Chance) -> list[TextLine]:
    """Draw words of a program's window around a card that was captured from a screen."""
    words = chance.some(lexicon("phrases_en")["screen"], chance.between(1, 4))
    return [outside(chance.pick(("   ", "  ")).join(words), "scanner")]


def note_lines(chance: Chance) -> list[TextLine]:
    """Draw a note that somebody wrote onto the card."""
    return [outside(chance.digits(chance.pick(_NOTES)), "handwriting")]
