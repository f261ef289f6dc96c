"""Which vendors there are and how they are configured: slug to vendor, base address, pace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import urlsplit

from django.conf import settings

from apps.resilience import BreakerRule, HostPort, Pace, Policy, host_of
from apps.sources.errors import UnknownSource
from apps.sources.ports import KeyRule, Vendor
from apps.sources.vendors import (
    alphavantage,
    betfair_stream,
    binance,
    coincap,
    coingecko,
    finnhub,
    football_data,
    goalserve,
    google_news,
    kalshi,
    manifold,
    newsapi,
    openai,
    polymarket_clob,
    polymarket_gamma,
    reddit,
    twitter,
    yahoo,
)

_ALL = (
    polymarket_gamma.VENDOR,
    polymarket_clob.VENDOR,
    binance.VENDOR,
    coingecko.VENDOR,
    coincap.VENDOR,
    yahoo.VENDOR,
    alphavantage.VENDOR,
    finnhub.VENDOR,
    kalshi.VENDOR,
    manifold.VENDOR,
    newsapi.VENDOR,
    google_news.VENDOR,
    reddit.VENDOR,
    twitter.VENDOR,
    openai.VENDOR,
    goalserve.VENDOR,
    football_data.VENDOR,
    betfair_stream.VENDOR,
)
VENDORS: Mapping[str, Vendor] = MappingProxyType({vendor.slug: vendor for vendor in _ALL})
OPEN_S, OPEN_S_MIN = 60.0, 2.0


@dataclass(frozen=True, slots=True)
class Connection:
    """Where a vendor is called and at which pace."""

    base_url: str
    pace: Pace
    policy: Policy
    key: KeyRule | None = None
    api_key: str = field(default="", repr=False)


def slugs() -> tuple[str, ...]:
    """Return the slugs of all vendors."""
    return tuple(VENDORS)


def vendor_of(slug: str) -> Vendor:
    """Return the vendor of a slug. Raises UnknownSource."""
    vendor = VENDORS.get(slug)
    if vendor is None:
        raise UnknownSource(f"there is no source {slug!r}; known: {', '.join(VENDORS)}")
    return vendor


def connection_of(vendor: Vendor) -> Connection:
    """Return the vendor's address and policy from settings, its own published ones where they say nothing."""
    pace = Pace.per_minute(quota_of(vendor))
    # In a world that is played faster a minute is hours: the breaker's rest is shortened with everything else.
    breaker = BreakerRule(open_s=max(OPEN_S_MIN, OPEN_S / settings.SCHEDULE_SPEED))
    policy = Policy(
        key=vendor.slug,
        pace=pace,
        breaker=breaker,
        deadline_s=vendor.deadline_s,
        body_bytes_max=vendor.body_bytes_max,
        cache=vendor.cache,
        believes=vendor.believes,
    )
    return Connection(base_url=base_url_of(vendor), pace=pace, policy=policy, key=vendor.key, api_key=key_of(vendor))


def quota_of(vendor: Vendor) -> int:
    """Return the calls a minute that this vendor may get at most: the configured number, or its published one."""
    return int(settings.VENDORS.get(vendor.slug, {}).get("rate_per_minute") or vendor.rate_per_minute)


def key_of(vendor: Vendor) -> str:
    """Return the vendor's configured key, or nothing."""
    return str(settings.VENDORS.get(vendor.slug, {}).get("api_key") or "")


def why_off(vendor: Vendor) -> str:
    """Return in a sentence why settings leave this vendor off, or nothing when it may be called."""
    if settings.SOURCES_ON and vendor.slug not in settings.SOURCES_ON:
        return "is not among the sources of SOURCES_ON"
    if vendor.key is not None and vendor.key.required and not key_of(vendor):
        return f"needs a key: set {vendor.slug.upper()}_API_KEY"
    if not base_url_of(vendor):
        return f"needs an address: set {vendor.slug.upper()}_BASE_URL"
    return ""


def base_url_of(vendor: Vendor) -> str:
    """Return the vendor's configured address, or its public one, without a slash at the end."""
    given = settings.VENDORS.get(vendor.slug, {})
    return str(given.get("base_url") or vendor.base_url).rstrip("/")


def is_folder(base_url: str) -> bool:
    """Tell whether an address is a folder of this machine, which has no host."""
    return urlsplit(base_url).scheme == "file"


def configured_hosts() -> frozenset[HostPort]:
    """Return the hosts that settings name on purpose: only these may be local ones."""
    given = (settings.VENDORS.get(slug, {}).get("base_url") for slug in VENDORS)
    return frozenset(host_of(str(url)) for url in given if url and not is_folder(str(url)))
