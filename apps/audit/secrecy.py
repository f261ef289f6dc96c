"""Which names in a detail look like secrets. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

SECRET_WORDS = frozenset({"password", "passwd", "passphrase", "token", "key", "secret", "apikey", "authorization", "credential"})
# Names that hold one of these words and are no secrets.
HARMLESS_NAMES = frozenset({"idempotency_key", "fencing_token", "primary_key", "cache_key", "key_id", "sort_key"})


def secret_names(detail: Any) -> Iterator[str]:
    """Yield the names, at any depth, that look as if their value were a secret."""
    if isinstance(detail, Mapping):
        for name, value in detail.items():
            if looks_secret(str(name)):
                yield str(name)
            yield from secret_names(value)
    elif isinstance(detail, list | tuple):
        for value in detail:
            yield from secret_names(value)


def looks_secret(name: str) -> bool:
    """Whether one of the words of `name` (api_key, apiKey, API-KEY) means a secret."""
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    words = [word for word in re.split(r"[^a-z0-9]+", spaced.lower()) if word]
    if "_".join(words) in HARMLESS_NAMES:
        return False
    return any(word in SECRET_WORDS or word.removesuffix("s") in SECRET_WORDS for word in words)
