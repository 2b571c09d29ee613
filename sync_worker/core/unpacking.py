"""What was compressed on its way, unpacked within a limit; pure.

A megabyte of gzip may hold a gigabyte: never more than asked for is unpacked.
"""

from __future__ import annotations

import zlib

PLAIN = ("", "identity")
CODINGS = frozenset({"gzip", "x-gzip", "deflate"})
ZLIB_OR_GZIP, RAW_DEFLATE = zlib.MAX_WBITS | 32, -zlib.MAX_WBITS
# Each stream costs a copy of what follows it; who packs in blocks of 64 kB needs fewer.
MAX_STREAMS = 256


class NotUnpackable(Exception):
    """It is broken, or packed in a way that nobody here unpacks."""


class Unpacker:
    """One compressed stream, or several one after the other, as gzip allows; nothing nested."""

    def __init__(self, coding: str) -> None:
        if coding not in CODINGS:
            raise NotUnpackable
        self._is_deflate = coding == "deflate"
        self._stream = zlib.decompressobj(ZLIB_OR_GZIP)
        self._has_begun = False
        self._streams = 1

    def unpack(self, part: bytes, most: int) -> bytes:
        """At most ``most`` bytes (1 or more) of what this part unpacks to.

        Raises NotUnpackable.
        """
        found = bytearray()
        while part and len(found) < most:
            if self._stream.eof:
                self._begin_another()
            found += self._unpacked(part, most - len(found))
            part = self._stream.unused_data
        return bytes(found)

    def end(self) -> None:
        """Raises NotUnpackable if something was packed and its end is missing."""
        if self._has_begun and not self._stream.eof:
            raise NotUnpackable

    def _begin_another(self) -> None:
        self._streams += 1
        if self._streams > MAX_STREAMS:
            raise NotUnpackable
        self._stream = zlib.decompressobj(ZLIB_OR_GZIP)

    def _unpacked(self, part: bytes, most: int) -> bytes:
        is_first, self._has_begun = not self._has_begun, True
        try:
            return self._stream.decompress(part, most)
        except zlib.error:
            # Some send deflate without the frame that its standard asks for.
            if not (is_first and self._is_deflate):
                raise NotUnpackable from None
        self._stream = zlib.decompressobj(RAW_DEFLATE)
        try:
            return self._stream.decompress(part, most)
        except zlib.error:
            raise NotUnpackable from None


def unpacked(body: bytes, coding: str, most: int) -> bytes:
    """A whole body, or its first ``most`` bytes. Raises NotUnpackable."""
    unpacker = Unpacker(coding)
    content = unpacker.unpack(body, most)
    if len(content) < most:
        unpacker.end()
    return content
