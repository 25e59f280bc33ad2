"""Taking secrets out of text: the last thing that happens to a log line, from any source.

Nothing in this project puts a secret into a log line. Libraries may: a refused address with its password, a request
with its header.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

#: What is shorter would be found in ordinary words, and is no secret for long.
SHORTEST = 4
SHOWN = "***"


class Redactor:
    """Replaces secrets, in all the forms in which they travel, by :data:`SHOWN`.

    Args:
        secrets: As they are; those under :data:`SHORTEST` characters are let be.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets if len(secret) >= SHORTEST for form in _forms(secret)}
        # The longest first: a secret may stand within another's form.
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def __repr__(self) -> str:
        """Show nothing: servers log their configuration, and this is part of it."""
        return "Redactor(…)"

    def __call__(self, text: str) -> str:
        """Return the text without secrets."""
        return text if self._pattern is None else self._pattern.sub(SHOWN, text)


def _forms(secret: str) -> Iterable[str]:
    """Give a secret as it is, in JSON, in an address, and in Basic auth."""
    yield secret
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield repr(secret)[1:-1]
    yield quote(secret, safe="")
    yield quote(secret)
    yield quote_plus(secret)
    encoded = base64.b64encode(secret.encode()).decode()
    yield encoded
    # Behind "user:" three alignments are possible; what is certain of each is what lies between its ends.
    for shift in (1, 2):
        inner = base64.b64encode(b"\0" * shift + secret.encode()).decode()[4:].rstrip("=")[:-1]
        if len(inner) >= 2 * SHORTEST:
            yield inner
