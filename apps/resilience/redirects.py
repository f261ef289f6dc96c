"""Where a redirect may lead: a pure decision, made anew for every hop.

Followed are GET and HEAD, as far as the policy allows, never from https to http, never twice to the same place. Another
host gets nothing of ours: of the caller's headers only those that say what is wanted, and a place that repeats one of
our keys is refused. (The address itself is judged like any other, by `addresses.check_url` and the resolver.)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote_plus, urldefrag, urljoin, urlsplit

from apps.resilience.addresses import SCHEME_PORTS
from apps.resilience.errors import RedirectRefused
from apps.resilience.exchange import Request

FOLLOWED_STATUSES = frozenset({301, 302, 303, 307, 308})
FOLLOWED_METHODS = frozenset({"GET", "HEAD"})
HARMLESS_HEADERS = frozenset({"accept", "accept-language"})
SECRET_LENGTH_MIN = 6  # shorter values stand in too many addresses by chance
_CREDENTIAL_NAME = re.compile(r"key|token|secret|auth|passw|signature|credential|session", re.IGNORECASE)


@dataclass(slots=True)
class Hop:
    """One leg of a call: where to, with what, and the places seen so far."""

    url: str
    params: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    seen: frozenset[str] = frozenset()


def first_hop(request: Request) -> Hop:
    """Return the first leg: the request as it was made."""
    headers = request.headers
    if request.correlation_id or request.json is not None:
        headers = dict(headers)
        if request.correlation_id:
            headers["X-Correlation-ID"] = request.correlation_id
        if request.json is not None:
            headers["Content-Type"] = "application/json"
    return Hop(request.url, request.params, headers)


def next_hop(request: Request, hop: Hop, *, status: int, location: str) -> Hop:
    """Return the leg that a redirect asks for. Raises RedirectRefused."""
    if status not in FOLLOWED_STATUSES or not location:
        raise RedirectRefused(f"an answer with status {status} leads nowhere")
    if request.method not in FOLLOWED_METHODS:
        raise RedirectRefused(f"a redirect of a {request.method} is not followed")
    try:
        url = urldefrag(urljoin(hop.url, location)).url
        stays = _is_same_place(hop.url, url)
    except ValueError as error:
        raise RedirectRefused("a redirect to something that is not an address") from error
    if hop.url.startswith("https:") and not url.startswith("https:"):
        raise RedirectRefused("a redirect from https to an open connection")
    if url in hop.seen:
        raise RedirectRefused("a redirect in a circle")
    if stays:
        return Hop(url, (), hop.headers, hop.seen | {url})
    if _carries_secret(request, url):
        raise RedirectRefused("a redirect that would hand our key to another host")
    harmless = {name: value for name, value in hop.headers.items() if name.lower() in HARMLESS_HEADERS}
    return Hop(url, (), harmless, hop.seen | {url})


def _is_same_place(one: str, other: str) -> bool:
    """Return whether both are the same host and port; a step up from http to https on usual ports is none away."""
    here, there = urlsplit(one), urlsplit(other)
    ports = here.port or SCHEME_PORTS.get(here.scheme), there.port or SCHEME_PORTS.get(there.scheme)
    return here.hostname == there.hostname and (ports[0] == ports[1] or ports == (80, 443))


def _carries_secret(request: Request, url: str) -> bool:
    named = [value for name, value in (*request.params, *request.headers.items()) if _CREDENTIAL_NAME.search(name)]
    secrets = [value for value in (*request.secrets, *named) if len(value) >= SECRET_LENGTH_MIN]
    texts = (url, unquote_plus(url))
    return any(form in text for secret in secrets for form in (secret, quote(secret, safe="")) for text in texts)
