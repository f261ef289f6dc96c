"""What settings and vendors together make of a connection."""

from __future__ import annotations

import pytest

from apps.sources import registry

PUBLISHED = {"newsapi": 100, "reddit": 60, "twitter": 15, "polymarket_clob": 300, "polymarket_gamma": 100}


@pytest.mark.parametrize(("slug", "quota"), PUBLISHED.items())
def test_a_vendor_is_paced_by_its_published_quota(settings, slug, quota):
    settings.VENDORS = {}
    vendor = registry.vendor_of(slug)
    assert registry.quota_of(vendor) == quota
    assert 0.8 * quota <= registry.connection_of(vendor).pace.quota <= quota


@pytest.mark.parametrize(("slug", "quota"), [("newsapi", 20), ("twitter", 450)])
def test_settings_may_name_another_quota(settings, slug, quota):
    settings.VENDORS = {slug: {"rate_per_minute": quota}}
    assert registry.quota_of(registry.vendor_of(slug)) == quota
    assert registry.connection_of(registry.vendor_of(slug)).pace.quota <= quota
    assert registry.quota_of(registry.vendor_of("reddit")) == 60


def test_every_vendor_has_a_quota_that_can_be_kept_and_a_breaker_limiter_and_share_of_its_own(settings):
    settings.VENDORS = {}
    policies = [registry.connection_of(registry.vendor_of(slug)).policy for slug in registry.slugs()]
    assert [policy.key for policy in policies] == list(registry.slugs())
    assert len(set(registry.slugs())) == len(policies) == 18
    assert all(policy.pace is not None and policy.pace.quota >= 1 for policy in policies)
    assert {policy.breaker.failures for policy in policies} == {5}
