"""What a checkpoint would name on pages whose truth is known: what the committee learns its opinions from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from model.document.bio import spans
from model.extraction.committee import Committee, Proposal
from model.extraction.decoding import Decoder
from model.extraction.extractor import Extractor
from model.extraction.training import Example

_SAME_NAMES: Mapping[str, str] = MappingProxyType({})


def proposals_of(
    extractor: Extractor, examples: Iterable[Example], rename: Mapping[str, str] = _SAME_NAMES
) -> Iterator[Proposal]:
    """Yield what the classifier alone would name, with the truth about it.

    Args:
        extractor: The checkpoint.
        examples: Pages that it never learned from.
        rename: Fields of the checkpoint that go by another's name in the truth, such as ``FAX`` by ``PHONE``.
    """
    decider = Decoder(extractor.tags, Committee({}))
    for example in examples:
        truth = spans(example.tags, example.page.line_spans())
        truth += [
            (field, start, stop) for field, name in rename.items() for named, start, stop in truth if named == name
        ]
        yield from decider.proposals(example.page, extractor.extract(example.page).probabilities, truth)
