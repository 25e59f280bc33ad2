"""Contacts as vCard 4.0 (RFC 6350)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ml_backend.contacts.contact import Contact, Found

_LONGEST_LINE = 75
_TYPES = {"mobile": "cell", "work": "work,voice", "fax": "fax"}


def to_vcard(contact: Contact) -> str:
    """Return a contact as one vCard, with CRLF at the ends of lines.

    Numbers that cannot be dialled, and addresses that cannot be written to, go into notes: a program that reads the
    card must not trip over them, and a person may want to see them.
    """
    return "".join(f"{fold(line)}\r\n" for line in ("BEGIN:VCARD", "VERSION:4.0", *_lines(contact), "END:VCARD"))


def fold(line: str) -> str:
    """Break a line after 75 octets (RFC 6350, 3.2), never within a character."""
    parts, size, start = [], 0, 0
    for index, character in enumerate(line):
        width = len(character.encode())
        # The lines that follow begin with a space, which counts.
        if size + width > _LONGEST_LINE:
            parts.append(line[start:index])
            start, size = index, 1
        size += width
    parts.append(line[start:])
    return "\r\n ".join(parts)


def _lines(contact: Contact) -> Iterator[str]:
    owner = contact.names[0].value if contact.names else None
    shown = owner.full if owner else next((each.value for each in contact.companies), "")
    yield f"KIND:{'individual' if owner or not contact.companies else 'org'}"
    yield f"FN:{_text(shown)}"
    if owner is not None:
        parts = (owner.family, owner.given, owner.additional, owner.prefix, owner.suffix)
        yield f"N:{';'.join(_part(part) for part in parts)}"
    for company in contact.companies:
        yield f"ORG:{_part(company.value)}"
    for position in contact.positions:
        yield f"TITLE:{_text(position.value)}"
    for number in contact.phones:
        phone = number.value
        if phone.e164 is None:
            continue
        extension = f";ext={phone.extension}" if phone.extension else ""
        kinds = _TYPES[phone.kind]
        # A list within quotes: a comma ends a parameter's value otherwise.
        kinds = f'"{kinds}"' if "," in kinds else kinds
        yield f"TEL;VALUE=uri;TYPE={kinds}:tel:{phone.e164}{extension}"
    for email in contact.emails:
        if email.value.address is not None:
            yield f"EMAIL:{_text(email.value.address)}"
    for website in contact.websites:
        if website.value.url is not None:
            yield f"URL:{website.value.url}"
    for address in contact.addresses:
        # Nobody has taken it apart: all of it is the street's, and the label shows it as it is written.
        yield f'ADR;LABEL="{_parameter(address.value)}":;;{_part(address.value)};;;;'
    for person in contact.names[1:]:
        yield f"RELATED;VALUE=text:{_text(person.value.full)}"
    for other in contact.others:
        yield f"NOTE:{_text(f'{other.field}: {other.value}')}"
    for found in (contact.phones, contact.emails, contact.websites):
        yield from _notes(found)


def _notes(found: Iterable[Found[Any]]) -> Iterator[str]:
    for each in found:
        if not each.valid:
            yield f"NOTE:{_text(f'{each.field}: {each.text}')}"


def _text(value: str) -> str:
    """Escape a value (RFC 6350, 3.4); control characters have no place in one."""
    plain = "".join(c if c.isprintable() or c == "\n" else " " for c in value.replace("\r\n", "\n"))
    return plain.replace("\\", "\\\\").replace("\n", "\\n").replace(",", "\\,")


def _part(value: str) -> str:
    """Escape a component of a structured value."""
    return _text(value).replace(";", "\\;")


def _parameter(value: str) -> str:
    """Escape a parameter's value (RFC 6868)."""
    plain = "".join(c if c.isprintable() or c == "\n" else " " for c in value)
    return plain.replace("^", "^^").replace("\n", "^n").replace('"', "^'")
