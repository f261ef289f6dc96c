"""Forwarded headers count only when one of our proxies says them."""

from __future__ import annotations

import pytest
from django.http import HttpResponse
from django.test import RequestFactory, override_settings

from apps.core import proxies

OURS = proxies.networks_of(["10.0.0.1", "10.1.0.0/16", "::1"])


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        (["203.0.113.9"], "203.0.113.9"),
        (["1.2.3.4", "203.0.113.9"], "203.0.113.9"),
        (["1.2.3.4", "203.0.113.9", "10.1.2.3"], "203.0.113.9"),
        (["2001:db8::5"], "2001:db8::5"),
        ([""], "10.0.0.1"),
        (["10.1.2.3"], "10.0.0.1"),
        (["203.0.113.9", "not-an-address"], "10.0.0.1"),
    ],
)
def test_the_client_is_the_last_address_that_is_not_ours(chain, client):
    assert proxies.client_of("10.0.0.1", chain, OURS) == client


@pytest.mark.parametrize(
    ("address", "is_ours"), [("10.1.255.1", True), ("10.2.0.1", False), ("::1", True), ("", False), ("x", False)]
)
def test_networks_hold_addresses(address, is_ours):
    assert proxies.is_in(address, OURS) is is_ours


def _seen(peer: str, trusted: list[str]):
    request = RequestFactory().get(
        "/",
        REMOTE_ADDR=peer,
        headers={"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"},
    )
    with override_settings(TRUSTED_PROXIES=trusted):
        proxies.believe_trusted_proxies(lambda _: HttpResponse())(request)
    return request.META


def test_a_stranger_forwards_nothing():
    meta = _seen("198.51.100.1", ["10.0.0.1"])
    assert meta["REMOTE_ADDR"] == "198.51.100.1"
    assert [name for name in proxies.FORWARDED if name in meta] == []


def test_our_proxy_names_the_client_and_the_scheme():
    meta = _seen("10.0.0.1", ["10.0.0.1"])
    assert (meta["REMOTE_ADDR"], meta["HTTP_X_FORWARDED_PROTO"]) == ("203.0.113.9", "https")
