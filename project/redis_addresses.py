"""One address of Redis, said to three libraries: the broker's (kombu), the cache's (django-redis) and the kit's.

What an address may look like stands in `apps/resilience/stores/redis_servers.py`; the kit takes it as it is.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from redis.backoff import NoBackoff
from redis.retry import Retry

from apps.resilience.stores.redis_servers import DATABASE_PATH, SentinelAddress, is_sentinel, sentinel_address
from project.env import WrongSetting

SCHEMES = ("redis", "rediss")


def checked(name: str, url: str) -> str:
    """Return the address, or raise WrongSetting in one line that names the variable and shows no password."""
    if is_sentinel(url):
        try:
            sentinel_address(url)
        except ValueError as error:
            raise WrongSetting(f"{name} {error}") from None
    elif not _is_plain(url):
        raise WrongSetting(f"{name} must be an address such as redis://:password@host:6379/0, or rediss:// or sentinel://")
    return url


def of_database(url: str, number: int) -> str:
    """Return the address of the database that many further on the same server."""
    parts = urlsplit(url)
    first = int(parts.path.strip("/") or 0)
    return urlunsplit(parts._replace(path=f"/{first + number}"))


def as_broker(url: str) -> tuple[str, dict[str, Any]]:
    """Return the broker's address and transport options as `tasks.transport` wants them: one address, the others beside it."""
    if not is_sentinel(url):
        return url, {}
    address = sentinel_address(url)
    login = ":".join(quote(word or "", safe="") for word in (address.username, address.password))
    host, port = address.sentinels[0]
    options = {"sentinels": address.sentinels, "master_name": address.master, "sentinel_kwargs": _sentinel_options(address)}
    return f"sentinel://{login}@{_host(host)}:{port}/{address.database}", options


def as_cache(url: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return LOCATION and OPTIONS of a cache as django-redis wants them; all reads go to the master."""
    if not is_sentinel(url):
        return {"LOCATION": url, "OPTIONS": options}
    address = sentinel_address(url)
    sentinels = [f"{_host(host)}:{port}" for host, port in address.sentinels]
    through = {
        "CONNECTION_FACTORY": "django_redis.pool.SentinelConnectionFactory",
        "SENTINELS": list(address.sentinels),
        "SENTINEL_KWARGS": _sentinel_options(address),
        "USERNAME": address.username,
        "PASSWORD": address.password,
    }
    # django-redis shares pools by address: the Sentinels stand behind the # so that two masters of one name stay two.
    location = f"redis://{address.master}/{address.database}#{'+'.join(sentinels)}"
    return {"LOCATION": location, "OPTIONS": options | through}


def _is_plain(url: str) -> bool:
    try:
        parts = urlsplit(url)
        names_a_server = parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:  # the port is no number
        return False
    return names_a_server and DATABASE_PATH.fullmatch(parts.path) is not None


def _sentinel_options(address: SentinelAddress) -> dict[str, Any]:
    return address.sentinel_login() | {"retry": Retry(NoBackoff(), 0)}


def _host(name: str) -> str:
    return f"[{name}]" if ":" in name else name
