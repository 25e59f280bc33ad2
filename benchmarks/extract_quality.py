"""What do applications get out of ``/extract``?

Reads a folder of cards as ``POST /api/self-learning/extract`` does, and counts how many of the numbers are valid, how
many of the addresses can be written to or opened, and how names are split. Writes the contacts as field values too, for
a scorer of field values.

    python benchmarks/extract_quality.py CARDS --out values.json [--country IN] [--as-read read.json]

A line with three numbers is three values to dial, and one to those who tag lines: ``--as-read`` writes each value once,
as it stands on the card.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ml_backend.cli.document_files import find_images
from ml_backend.cli.main import write_json
from ml_backend.contacts.contact import Contact, Found
from ml_backend.contacts.extracting import Extraction
from ml_backend.contacts.spreadsheet import to_csv
from ml_backend.contacts.vcard import to_vcard
from ml_backend.container import page_limits
from ml_backend.predict.serving_models import SoleModel
from ml_backend.settings import Settings
from ml_backend.store.events import Store
from model.errors import ModelError
from model.pipeline import build_pipeline


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="JSON: file to list of {field, text}")
    parser.add_argument("--as-read", type=Path, help="the same with each value once, as it was read")
    parser.add_argument("--country", help="two letters: where numbers without a country code belong")
    parser.add_argument("--cache", type=Path, help="SQLite file that keeps what was read, for the next time")
    parser.add_argument("--threads", type=int, default=0)
    arguments = parser.parse_args()
    settings = Settings(_env_file=None)
    store = Store(f"sqlite:///{arguments.cache.absolute()}") if arguments.cache else None
    pipeline = build_pipeline(
        engine=settings.ocr_engine,
        ocr_models_dir=settings.ocr_models_dir,
        extractor_dir=settings.extractor_dir,
        threads=arguments.threads,
        max_image_bytes=settings.max_image_bytes,
        max_image_pixels=settings.max_image_pixels,
        cache=store,
    )
    extraction = Extraction(SoleModel(pipeline), page_limits(settings), seconds=settings.predict_budget_seconds)
    contacts: dict[str, Contact] = {}
    start = time.perf_counter()
    for name, path in find_images(arguments.images):
        try:
            contacts[name] = extraction.extract(path.read_bytes(), country=arguments.country).contact
        except ModelError as error:
            print(f"{name}: {error}", file=sys.stderr)
    seconds = time.perf_counter() - start
    write_json(arguments.out, {name: list(values(contact)) for name, contact in contacts.items()})
    if arguments.as_read:
        write_json(arguments.as_read, {name: list(texts(contact)) for name, contact in contacts.items()})
    report(list(contacts.values()), seconds)
    return 0


def values(contact: Contact) -> Iterator[dict[str, str]]:
    """Give a contact's values as an application would compare them: fax numbers count as numbers."""
    for name in contact.names:
        yield {"field": "NAME", "text": name.value.full}
    for field, texts in (
        ("POSITION", contact.positions),
        ("COMPANY", contact.companies),
        ("ADDRESS", contact.addresses),
    ):
        for text in texts:
            yield {"field": field, "text": text.value}
    for phone in contact.phones:
        yield {"field": "PHONE", "text": phone.value.e164 or phone.value.text}
    for email in contact.emails:
        yield {"field": "EMAIL", "text": email.value.address or email.text}
    for website in contact.websites:
        url = website.value.url or website.text
        yield {"field": "WEBSITE", "text": url.partition("://")[2] or url}


def texts(contact: Contact) -> Iterator[dict[str, str]]:
    """Give a contact's values as they stand on the card, each once."""
    seen: set[tuple[str, str]] = set()
    found = (contact.names, contact.positions, contact.companies, contact.phones, contact.emails, contact.websites)
    for each in (value for values in (*found, contact.addresses) for value in values):
        field = "PHONE" if each.field == "FAX" else each.field
        if (field, each.text) not in seen:
            seen.add((field, each.text))
            yield {"field": field, "text": each.text}


def report(contacts: list[Contact], seconds: float) -> None:
    """Print the shares."""
    print(f"{len(contacts)} cards in {seconds:.0f} s")
    for what, found in (
        ("phone and fax numbers that are valid (E.164)", [one for c in contacts for one in c.phones]),
        ("mail addresses that are syntactically valid", [one for c in contacts for one in c.emails]),
        ("pages of the web that are syntactically valid", [one for c in contacts for one in c.websites]),
    ):
        print(f"{what:48} {_share(found)}")
    kinds = Counter(one.value.kind for contact in contacts for one in contact.phones)
    print(f"{'numbers by type':48} {', '.join(f'{kind} {count}' for kind, count in kinds.most_common())}")
    names = [one.value for contact in contacts for one in contact.names]
    split = sum(bool(name.given and name.family) for name in names)
    print(f"{'names with a first and a last name':48} {split} of {len(names)}")
    lines = [line for contact in contacts for line in to_vcard(contact).encode().split(b"\r\n")]
    print(f"{'longest line of a vCard, octets (75 allowed)':48} {max(map(len, lines))}")
    print(f"{'rows of the CSV, with its header':48} {len(to_csv(contacts).splitlines())}")


def _share(found: Iterable[Found[object]]) -> str:
    valid = [one.valid for one in found]
    return f"{sum(valid)} of {len(valid)} ({sum(valid) / max(1, len(valid)):.1%})"


if __name__ == "__main__":
    sys.exit(main())
