"""Label Studio's brush strokes: where they are, without painting them."""

from __future__ import annotations

from model.document.types import Box

#: Longer ones are not looked at; a page painted by hand takes some thousands.
MAX_BYTES = 200_000
_CHANNELS = 4


def painted_box(rle: object, width: int, height: int) -> Box | None:
    """Return the box around all that is painted, in pixels.

    The bits say how many values there are (the four channels of each pixel), how wide a value is and how wide the four
    kinds of counts are, and then runs: a bit for "all alike", the kind of the count, the count, and the values.

    Args:
        rle: The list of bytes that Label Studio keeps under ``rle``; not trusted.
        width: Width of the image in pixels.
        height: Height of the image in pixels.

    Returns:
        ``None`` if nothing is painted, or these are no strokes on such an image.
    """
    if not isinstance(rle, list) or not 8 <= len(rle) <= MAX_BYTES:
        return None
    if not all(isinstance(byte, int) and 0 <= byte <= 255 for byte in rle):
        return None
    bits = _Bits(bytes(rle))
    count, word = bits.read(32), bits.read(5) + 1
    if count != width * height * _CHANNELS:
        return None
    sizes = [bits.read(4) + 1 for _ in range(4)]
    left, top, right, bottom = width, height, -1, -1
    at = 0
    while at < count and bits.left > 0:
        alike = bits.read(1)
        length = bits.read(sizes[bits.read(2)]) + 1
        for run in (length,) if alike else (1,) * length:
            if bits.left <= 0:
                return None
            start, stop = at // _CHANNELS, (at + run - 1) // _CHANNELS
            at += run
            if not bits.read(word):
                continue
            top, bottom = min(top, start // width), max(bottom, stop // width)
            whole = start // width != stop // width
            left = 0 if whole else min(left, start % width)
            right = width - 1 if whole else max(right, stop % width)
    if right < 0 or at > count:
        return None
    return Box(left, top, right + 1, bottom + 1)


class _Bits:
    """Reads numbers of some bits each, the highest bit first; behind the end there are zeros."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) * 8 - self._at

    def read(self, size: int) -> int:
        first, last = self._at // 8, (self._at + size + 7) // 8
        chunk = self._data[first:last]
        number = int.from_bytes(chunk, "big") << 8 * (last - first - len(chunk))
        shift = 8 * (last - first) - (self._at % 8) - size
        self._at += size
        return (number >> shift) & ((1 << size) - 1)
