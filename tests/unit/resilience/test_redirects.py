"""Where a redirect may lead, and what travels along."""

from __future__ import annotations

import pytest

from apps.resilience.errors import RedirectRefused
from apps.resilience.exchange import Request
from apps.resilience.redirects import Hop, first_hop, next_hop

KEY = "k-1234567890"
HEADERS = {
    "Accept": "application/json",
    "Authorization": f"Bearer {KEY}",
    "X-Api-Key": KEY,
    "X-Cg-Demo": "demo-key-1",
    "Cookie": "a=b",
}


def ask(url: str = "https://api.vendor.example/v1/x", **options) -> Request:
    return Request(operation="ask", url=url, headers=HEADERS, correlation_id="abc", **options)


def follow(location: str, *, request: Request | None = None, status: int = 302) -> Hop:
    request = request or ask()
    return next_hop(request, first_hop(request), status=status, location=location)


def test_the_first_leg_carries_everything():
    hop = first_hop(ask(params=(("a", "1"),), method="POST", json=b"{}"))
    assert (hop.url, hop.params) == ("https://api.vendor.example/v1/x", (("a", "1"),))
    assert hop.headers == {**HEADERS, "X-Correlation-ID": "abc", "Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/y", "https://api.vendor.example/y"),
        ("y?z=1#part", "https://api.vendor.example/v1/y?z=1"),
        ("https://API.vendor.example:443/y", "https://API.vendor.example:443/y"),
        ("//api.vendor.example/y", "https://api.vendor.example/y"),
    ],
)
def test_on_the_same_host_the_headers_travel_along_and_the_parameters_do_not(location, url):
    hop = follow(location, request=ask(params=(("a", "1"),)))
    assert (hop.url, hop.params, hop.headers["Authorization"]) == (url, (), f"Bearer {KEY}")


@pytest.mark.parametrize(
    "location", ["https://other.example/y", "//other.example/y", "https://api.vendor.example:8443/y", "https://vendor.example/y"]
)
def test_another_host_or_port_is_told_only_what_is_wanted(location):
    assert dict(follow(location).headers) == {"Accept": "application/json"}


def test_what_was_left_behind_at_one_hop_is_not_picked_up_again():
    away = follow("https://other.example/y")
    back = next_hop(ask(), away, status=302, location="https://api.vendor.example/z")
    assert dict(back.headers) == {"Accept": "application/json"}


def test_a_step_up_to_https_keeps_the_headers_and_a_step_down_is_refused():
    up = follow("https://api.vendor.example/v1/x", request=ask("http://api.vendor.example/v1/x"))
    assert up.headers["X-Api-Key"] == KEY
    for location in ("http://api.vendor.example/v1/x", "http://other.example/", "ftp://other.example/"):
        with pytest.raises(RedirectRefused, match="https to an open"):
            follow(location)


@pytest.mark.parametrize(
    "location",
    [
        f"https://other.example/y?apikey={KEY}",
        f"https://other.example/{KEY}/y",
        "https://other.example/y?t=s%2Fecret%2Bvalue",
        "https://other.example/y?q=named-value",
        "https://other.example/y?q=demo%2Dkey%2D1",
    ],
)
def test_a_place_on_another_host_that_repeats_a_key_is_refused(location):
    request = ask(params=(("apikey", KEY), ("access_token", "named-value")), secrets=("s/ecret+value", "demo-key-1"))
    with pytest.raises(RedirectRefused, match="key"):
        follow(location, request=request)
    assert follow(location.replace("other", "api.vendor"), request=request).url


def test_only_questions_are_followed():
    for method in ("POST", "PUT", "DELETE"):
        with pytest.raises(RedirectRefused, match=method):
            follow("/y", request=ask(method=method))


@pytest.mark.parametrize("status", [300, 304, 305, 306, 399])
def test_other_statuses_of_the_family_lead_nowhere(status):
    with pytest.raises(RedirectRefused):
        follow("/y", status=status)


@pytest.mark.parametrize("location", ["", "https://[::1", "https://x:99999/"])
def test_a_redirect_to_nothing_is_refused(location):
    with pytest.raises(RedirectRefused):
        follow(location)


def test_a_circle_is_seen_at_its_second_turn():
    request = ask()
    hop = follow("/a", request=request)
    hop = next_hop(request, hop, status=302, location="/b")
    with pytest.raises(RedirectRefused, match="circle"):
        next_hop(request, hop, status=302, location="/a")


def test_a_request_never_shows_its_secrets():
    assert KEY not in repr(Request(operation="ask", url="https://x.example/", secrets=(KEY,)))
