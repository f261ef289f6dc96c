"""Which addresses may be called: the public internet, and hosts that were named on purpose."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from apps.resilience.errors import AddressRefused

HostPort = tuple[str, int]
SCHEME_PORTS = {"http": 80, "https": 443}


def is_public(address: str) -> bool:
    """Return whether an IP address is one of the public internet, also when wrapped in an IPv6 form."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        wrapped = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if wrapped is not None:
            return is_public(str(wrapped))
    return ip.is_global and not ip.is_multicast


def host_of(url: str) -> HostPort:
    """Return the lower-case host and the port of an http(s) address. Raises AddressRefused for anything else."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or SCHEME_PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise AddressRefused(f"not an address: {error}") from error
    if parts.scheme not in SCHEME_PORTS or not host:
        raise AddressRefused("only http and https addresses with a host may be called")
    if parts.username is not None or parts.password is not None:
        raise AddressRefused("an address must not carry a user name or password")
    return host.lower(), port


def check_resolved(host: HostPort, addresses: Collection[str], allowed: Collection[HostPort]) -> None:
    """Refuse `host` when any address that it resolves to is not public, unless it is allowed. Raises AddressRefused."""
    if host in allowed:
        return
    for address in addresses:
        if not is_public(address):
            raise AddressRefused(f"{host[0]} is not a public address")


def check_url(url: str, allowed: Collection[HostPort]) -> None:
    """Refuse addresses that are wrong in themselves; names are judged when they are resolved. Raises AddressRefused."""
    host = host_of(url)
    try:
        literal = str(ipaddress.ip_address(host[0].partition("%")[0]))
    except ValueError:
        return
    check_resolved(host, [literal], allowed)
