"""An analyst behind OpenAI's chat interface, or behind any server that speaks it. Needs a key; asked on demand only."""

from apps.sources.ports import KeyRule, Vendor
from apps.sources.vendors.openai.check import check
from apps.sources.vendors.openai.feed import analysis

VENDOR = Vendor(
    slug="openai",
    name="OpenAI-compatible analyst",
    base_url="https://api.openai.com/v1",
    rate_per_minute=60,
    check=check,
    analysis=analysis,
    key=KeyRule(place="header", name="Authorization", prefix="Bearer "),
    fresh_s=None,
)
