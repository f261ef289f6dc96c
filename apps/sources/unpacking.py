"""Unpacking what came packed, up to a cap; pure. Small files can grow by a factor of a thousand and more."""

from __future__ import annotations

import bz2
import gzip
import zlib
from io import BytesIO

from apps.sources.errors import BadAnswer

GZIP_MARK, BZIP2_MARK = b"\x1f\x8b", b"BZh"


def unpack(body: bytes, *, size_max: int) -> bytes:
    """Return the content of gzip or bzip2 bytes, or the bytes themselves when they are neither.

    Told by the first bytes, not by names. Raises BadAnswer when the content is damaged, cut, or larger than `size_max`.
    """
    try:
        if body.startswith(GZIP_MARK):
            content = gzip.GzipFile(fileobj=BytesIO(body)).read(size_max + 1)
        elif body.startswith(BZIP2_MARK):
            content = bz2.BZ2File(BytesIO(body)).read(size_max + 1)
        else:
            content = body
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise BadAnswer(f"the body cannot be unpacked ({type(error).__name__})") from None
    if len(content) > size_max:
        raise BadAnswer(f"the body is larger than {size_max} bytes")
    return content
