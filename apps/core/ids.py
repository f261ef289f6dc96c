"""Prefixed identities that sort by the time of their making, such as `ord_01K9T3W8R0...`.

The body is a ULID: 48 bits of milliseconds and 80 random bits in Crockford's base 32
(https://github.com/ulid/spec), so that rows made later sort later and indexes grow at their right edge.
"""

from __future__ import annotations

import secrets
from datetime import datetime

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
BODY_LENGTH = 26
ENTROPY_BYTES = 10


def make_id(prefix: str, *, at: datetime, entropy: bytes) -> str:
    """Build the identity for `prefix` from a moment and ten random bytes. Raises ValueError on other lengths."""
    if len(entropy) != ENTROPY_BYTES:
        raise ValueError(f"entropy must be {ENTROPY_BYTES} bytes, not {len(entropy)}")
    milliseconds = int(at.timestamp() * 1000)
    number = (milliseconds << 80) | int.from_bytes(entropy, "big")
    body = "".join(ALPHABET[(number >> shift) & 31] for shift in range(5 * (BODY_LENGTH - 1), -1, -5))
    return f"{prefix}_{body}"


def fresh_entropy() -> bytes:
    """Return ten random bytes from the operating system."""
    return secrets.token_bytes(ENTROPY_BYTES)


def fresh_token(size_bytes: int = 32) -> str:
    """Return an unguessable URL-safe token, for passwords and lease owners."""
    return secrets.token_urlsafe(size_bytes)
