"""What applications call their contacts: a number stays a number on its way back, a text stays a text."""

from __future__ import annotations

import re
from typing import TypeAlias

ContactId: TypeAlias = "int | str"
"""A contact as the application writes it. Within the backend it is a text: 7 and "7" are one contact, "007" another."""

_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")


def is_number(text: str) -> bool:
    """Tell whether a text is how JSON writes a whole number of 0 or more: ``"007"`` is none."""
    return _NUMBER.fullmatch(text) is not None


def as_sent(contact_id: str, *, as_text: bool) -> ContactId:
    """Return a contact as the application writes it.

    An address holds texts only: there a whole number stands for a number unless a body has said that it is a text.

    Args:
        contact_id: As the backend keeps it.
        as_text: Whether the application sent it as a text.
    """
    return contact_id if as_text or not is_number(contact_id) else int(contact_id)
