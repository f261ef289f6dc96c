"""How the desk writes figures: tabular, signed where the sign matters, a dash where there is nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.core.money import to_major

register = template.Library()

NOTHING = "–"  # also for "", which a template gives for a part of nothing
MINUS = "−"
ARGUMENTS_LENGTH_MAX = 160


@register.filter
def price(value: Decimal | float | str | None, digits: int = 3) -> str:
    """Write a price or probability with a fixed number of digits."""
    return NOTHING if isinstance(value, str) or value is None else f"{value:,.{digits}f}"


@register.filter
def signed(value: Decimal | float | str | None, digits: int = 3) -> SafeString | str:
    """Write a difference with its sign, so that colour is not the only carrier."""
    if isinstance(value, str) or value is None:
        return NOTHING
    text = f"{abs(value):,.{digits}f}"
    is_zero = not any(digit in "123456789" for digit in text)
    if is_zero:
        return text
    sign, kind = ("+", "gain") if value > 0 else (MINUS, "loss")
    return format_html('<span class="{}">{}{}</span>', kind, sign, text)


@register.filter
def units(value: Decimal | str | None) -> str:
    """Write a number of units without needless zeros."""
    return NOTHING if isinstance(value, str) or value is None else f"{value.normalize():,f}"


@register.simple_tag
def money(amount_minor: int | None, currency: str, digits: int = 2) -> str:
    """Write minor units as major units with `digits` decimals."""
    return NOTHING if amount_minor is None else f"{to_major(amount_minor, currency):,.{digits}f}"


@register.simple_tag
def signed_money(amount_minor: int | None, currency: str, digits: int = 2) -> SafeString | str:
    """Write minor units as a signed amount of major units."""
    return signed(None if amount_minor is None else to_major(amount_minor, currency), digits)


@register.filter
def moment(value: datetime | str | None) -> SafeString | str:
    """Write a moment as `<time>`: UTC here, turned into the reader's zone by the page's script."""
    if not isinstance(value, datetime):
        return NOTHING
    utc = value.astimezone(UTC)
    return format_html(
        '<time datetime="{}" title="{} UTC">{} UTC</time>', utc.isoformat(), f"{utc:%Y-%m-%d %H:%M:%S}", f"{utc:%H:%M:%S}"
    )


@register.filter
def brief(seconds: Any) -> str:
    """Write a duration that may be far below a second: 4 ms, 1.2 s, then as `span` does."""
    if seconds is None or seconds == "":
        return NOTHING
    if abs(seconds) < 0.9995:
        return f"{abs(seconds) * 1000:.0f} ms"
    return f"{abs(seconds):.1f} s" if abs(seconds) < 9.95 else span(seconds)


@register.filter
def arguments(values: Mapping[str, Any]) -> str:
    """Write what a task is called with: `source yahoo, symbols AAPL MSFT`, cut where it gets long."""
    text = ", ".join(f"{name} {value}" for name, value in values.items())
    return text if len(text) <= ARGUMENTS_LENGTH_MAX else f"{text[:ARGUMENTS_LENGTH_MAX]}…"


@register.filter
def span(seconds: Any) -> str:
    """Write a duration with its two largest units: 45 s, 2 m 05 s, 3 h 10 m, 2 d 4 h."""
    if seconds is None or seconds == "":
        return NOTHING
    whole = int(abs(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02d} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} m"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"
