"""Whom to believe about the client: what a proxy forwards counts only when the proxy is one of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

Network = IPv4Network | IPv6Network
FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PORT", "HTTP_FORWARDED")


def believe_trusted_proxies(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Make the middleware: forwarded headers of strangers are dropped, those of our proxies name the client."""
    trusted = networks_of(settings.TRUSTED_PROXIES)

    def handle(request: HttpRequest) -> HttpResponseBase:
        peer = request.META.get("REMOTE_ADDR", "")
        if is_in(peer, trusted):
            chain = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
            request.META["REMOTE_ADDR"] = client_of(peer, chain, trusted)
        else:
            for name in FORWARDED:
                request.META.pop(name, None)
        return get_response(request)

    return handle


def networks_of(addresses: Iterable[str]) -> tuple[Network, ...]:
    """Return the networks that the addresses name: `10.0.0.7` or `10.0.0.0/24`. Raises ValueError."""
    return tuple(ip_network(address, strict=False) for address in addresses)


def is_in(address: str, networks: Iterable[Network]) -> bool:
    """Say whether `address` lies in one of the networks; what is no address lies in none."""
    try:
        found = ip_address(address.strip())
    except ValueError:
        return False
    return any(found in network for network in networks)


def client_of(peer: str, chain: Iterable[str], trusted: Iterable[Network]) -> str:
    """Return the last address of the chain that no trusted proxy has; every one before it may be invented.

    A chain without such an address, or with something that is no address in its place, gives the peer itself.
    """
    networks = tuple(trusted)
    for address in reversed([part.strip() for part in chain]):
        if is_in(address, networks):
            continue
        return address if _is_address(address) else peer
    return peer


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
