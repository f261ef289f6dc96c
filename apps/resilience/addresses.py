"""Which addresses may be called: the public internet, and hosts that were named on purpose.

An address is judged three times: as it is written (here, by `check_url`, for the first call and for every redirect), as
the HTTP library reads it (`session.py` compares), and as the addresses that its name resolves to, which are the ones
that are connected to (`check_resolved`, called by the resolver). Nothing is judged once and trusted later.

Only `http` and `https` are spoken. Refused as written: user names and passwords, control characters,
host names outside ASCII (a "①" becomes a "1" on the way; write the xn-- form), and numbers that are not a whole
dotted IPv4 address (`2130706433`, `0x7f.1`, `0177.0.0.1`, `127.1`), which systems read in different ways.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from urllib.parse import urlsplit

from apps.resilience.errors import AddressRefused

HostPort = tuple[str, int]
SCHEME_PORTS = {"http": 80, "https": 443}
LOCAL_NAMES = ("localhost", "localdomain", "local", "internal")

# What Python's tables of special addresses lack or count as global. IPv6 outside 2000::/3 is not the internet.
_MORE_IPV4_INSIDE = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "192.0.0.0/24",  # protocol assignments; a cloud's metadata lives at 192.0.0.192
        "192.88.99.0/24",  # relays of 6to4
        "168.63.129.16/32",  # a cloud's metadata on a public number
    )
)
_MORE_IPV6_INSIDE = tuple(ipaddress.IPv6Network(text) for text in ("2001::/23", "2002::/16", "3fff::/20"))
_GLOBAL_IPV6 = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # the internet as a network without IPv4 sees it (RFC 6052)

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?\.?")
_ENDS_IN_A_NUMBER = re.compile(r"(?:^|\.)(?:0x[0-9a-f]*|[0-9]+)\.?$")


def is_public(address: str) -> bool:
    """Return whether an IP address is one of the public internet, also when an IPv4 one is wrapped in an IPv6 form.

    Tunnels (6to4, Teredo) are not: where they end is not in our hands.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv4Address):
        return _is_public_v4(ip)
    if ip.ipv4_mapped is not None:
        return _is_public_v4(ip.ipv4_mapped)
    if ip in _NAT64:
        return _is_public_v4(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
    return ip in _GLOBAL_IPV6 and ip.is_global and not any(ip in network for network in _MORE_IPV6_INSIDE)


def _is_public_v4(ip: ipaddress.IPv4Address) -> bool:
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _MORE_IPV4_INSIDE)


def host_of(url: str) -> HostPort:
    """Return the lower-case host and the port of an http(s) address. Raises AddressRefused for anything else."""
    if _CONTROL.search(url):
        raise AddressRefused("an address must not carry control characters")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise AddressRefused(f"not an address: {error}") from error
    if parts.scheme not in SCHEME_PORTS or not host:
        raise AddressRefused("only http and https addresses with a host may be called")
    if "@" in parts.netloc:
        raise AddressRefused("an address must not carry a user name or password")
    _check_host(host)
    return host, SCHEME_PORTS[parts.scheme] if port is None else port


def _check_host(host: str) -> None:
    """Refuse hosts that somebody else on the way may read differently. Raises AddressRefused."""
    if _literal(host) is not None:
        return
    if not _NAME.fullmatch(host) or ".." in host:
        raise AddressRefused("a host is a name of ASCII letters, digits, dots and dashes, or an IP address")
    if _ENDS_IN_A_NUMBER.search(host):
        raise AddressRefused("a host in numbers must be a whole dotted IPv4 address")


def _literal(host: str) -> str | None:
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        return None


def check_resolved(host: HostPort, addresses: Collection[str], allowed: Collection[HostPort]) -> None:
    """Refuse `host` when any address that it resolves to is not public, unless it is allowed. Raises AddressRefused."""
    if host in allowed:
        return
    for address in addresses:
        if not is_public(address):
            raise AddressRefused(f"{host[0]} is not a public address")


def check_url(url: str, allowed: Collection[HostPort]) -> HostPort:
    """Refuse addresses that are wrong in themselves and return the host; names are judged again when they are resolved.

    Raises AddressRefused.
    """
    host = host_of(url)
    if host in allowed:
        return host
    literal = _literal(host[0])
    if literal is not None:
        check_resolved(host, [literal], allowed)
    elif host[0].rstrip(".").rpartition(".")[2] in LOCAL_NAMES:
        raise AddressRefused(f"{host[0]} is not a public address")
    return host
