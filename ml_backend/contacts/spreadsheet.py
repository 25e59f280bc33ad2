"""Contacts as CSV (RFC 4180): a row a card."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable

from ml_backend.contacts.contact import Contact

COLUMNS = (
    "full_name",
    "prefix",
    "given_name",
    "additional_names",
    "family_name",
    "suffix",
    "position",
    "company",
    "phone_mobile",
    "phone_work",
    "fax",
    "email",
    "website",
    "address",
    "other",
    "confidence",
)
#: Several values of a column stand in one cell with this between.
SEPARATOR = "; "
# A cell that begins like that, maybe behind spaces, is a formula to a spreadsheet (OWASP, "CSV injection").
_FORMULA = ("=", "@", "-", "+", "\t", "\r", "\n", "＝", "＠", "－", "＋")
# Numbers to dial begin with "+" and stay as they are: digits alone run nothing.
_TO_DIAL = re.compile(r"\+[0-9][0-9 \u00a0()./-]*")


def to_csv(contacts: Iterable[Contact]) -> str:
    """Return contacts as CSV with a header; a value that a spreadsheet would run gets an apostrophe before it."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for contact in contacts:
        writer.writerow(_row(contact))
    return out.getvalue()


def _row(contact: Contact) -> list[str]:
    owner = contact.names[0].value if contact.names else None
    name = (owner.full, owner.prefix, owner.given, owner.additional, owner.family, owner.suffix) if owner else ("",) * 6

    def numbers(kind: str) -> str:
        chosen = [each for each in contact.phones if each.value.kind == kind]
        return _joined(_safe(each.value.e164 or each.text) for each in chosen)

    return [
        *(_safe(part) for part in name),
        _joined(_safe(each.value) for each in contact.positions),
        _joined(_safe(each.value) for each in contact.companies),
        numbers("mobile"),
        numbers("work"),
        numbers("fax"),
        _joined(_safe(each.value.address or each.text) for each in contact.emails),
        _joined(_safe(each.value.url or each.text) for each in contact.websites),
        _joined(_safe(each.value) for each in contact.addresses),
        _joined(_safe(f"{each.field}: {each.value}") for each in contact.others),
        f"{contact.confidence:.3f}",
    ]


def _joined(values: Iterable[str]) -> str:
    return SEPARATOR.join(values)


def _safe(value: str) -> str:
    if _TO_DIAL.fullmatch(value):
        return value
    return f"'{value}" if value.startswith(_FORMULA) or value.lstrip().startswith(_FORMULA) else value
