"""Which addresses may be called."""

from __future__ import annotations

import pytest

from apps.resilience.addresses import check_resolved, check_url, host_of, is_public
from apps.resilience.errors import AddressRefused


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111"])
def test_addresses_of_the_internet_are_public(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "192.168.1.1", "172.16.0.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fd00::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
        "2002:7f00:1::", "ff02::1",
    ],
)  # fmt: skip
def test_addresses_of_the_inside_are_not(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1/", "http://[::1]:8000/x", "http://[::ffff:10.0.0.1]/", "ftp://example.com/", "file:///etc/passwd",
     "https://", "http://user:pass@example.com/", "http://example.com:99999/", "gopher://x", "//example.com/", "http://[::1"],
)  # fmt: skip
def test_wrong_addresses_are_refused_before_anything_is_resolved(url):
    with pytest.raises(AddressRefused):
        check_url(url, allowed=())


def test_a_local_host_may_be_called_when_it_is_named_with_its_port():
    check_url("http://127.0.0.1:8001/gamma", allowed={("127.0.0.1", 8001)})
    with pytest.raises(AddressRefused):
        check_url("http://127.0.0.1:8002/gamma", allowed={("127.0.0.1", 8001)})


def test_a_name_is_refused_when_any_of_its_addresses_is_inside():
    check_resolved(("good.example", 443), ["8.8.8.8"], allowed=())
    with pytest.raises(AddressRefused):
        check_resolved(("rebinding.example", 443), ["8.8.8.8", "10.0.0.1"], allowed=())


def test_hosts_are_read_in_lower_case_with_the_port_of_their_scheme():
    assert host_of("https://Example.COM/x") == ("example.com", 443)
    assert host_of("http://example.com/x") == ("example.com", 80)
