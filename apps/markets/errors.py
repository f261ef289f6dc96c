"""What can go wrong in this room."""

from __future__ import annotations

from apps.core.errors import NotFound


class MarketNotFound(NotFound):
    """There is no market with this identity."""

    code = "market-not-found"
    public_message = "There is no such market."


class InstrumentNotFound(NotFound):
    """There is no instrument with this identity."""

    code = "instrument-not-found"
    public_message = "There is no such instrument."
