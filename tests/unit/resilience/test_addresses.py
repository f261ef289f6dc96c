"""Which addresses may be called."""

from __future__ import annotations

import pytest

from apps.resilience.addresses import check_resolved, check_url, host_of, is_public
from apps.resilience.errors import AddressRefused


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_addresses_of_the_internet_are_public(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.255.255.254", "10.1.2.3", "192.168.1.1", "172.16.0.1", "0.0.0.0", "100.64.0.1", "100.100.100.200",
        "224.0.0.1", "239.255.255.250", "255.255.255.255", "240.0.0.1", "198.18.0.1", "192.0.2.1", "192.88.99.1",
        "169.254.169.254", "192.0.0.192", "168.63.129.16", "fd00:ec2::254",
        "::1", "::", "fe80::1", "fe80::1%eth0", "fd00::1", "fec0::1", "ff02::1", "2001:db8::1", "3fff::1", "100::1",
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:7f00:1", "::127.0.0.1", "::7f00:1", "64:ff9b::7f00:1", "64:ff9b:1::808:808",
        "2002:7f00:1::", "2002:808:808::", "2001:0:808:808::1",
    ],
)  # fmt: skip
def test_addresses_of_the_inside_and_tunnels_are_not(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1/", "http://[::1]:8000/x", "http://[::ffff:10.0.0.1]/", "ftp://example.com/", "file:///etc/passwd",
     "https://", "http://user:pass@example.com/", "http://@example.com/", "http://user@example.com/", "http://example.com:99999/",
     "gopher://x", "//example.com/", "http://[::1", "HTTP://", "javascript:alert(1)", "http:example.com", "http:///x"],
)  # fmt: skip
def test_wrong_addresses_are_refused_before_anything_is_resolved(url):
    with pytest.raises(AddressRefused):
        check_url(url, allowed=())


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "127.1", "127.0.1", "127.0.0.1.", "1.2.3.4.5", "256.1.1.1",
     "①②⑦.⓪.⓪.①", "１２７.0.0.1", "127。0。0。1", "exämple.com", "a..b", "-a.com", "a b.com", "a\tb.com", "exa\nmple.com", "good.example\\@evil.example",
     "a%00b.com", "a%2eb.com", "localhost", "LocalHost", "localhost.", "a.localhost", "printer.local", "metadata.google.internal"],
)  # fmt: skip
def test_hosts_in_forms_that_hide_the_inside_are_refused(host):
    with pytest.raises(AddressRefused):
        check_url(f"http://{host}/", allowed=())


@pytest.mark.parametrize("url", ["http://example.com/a\r\nX-Evil: 1", "http://example.com/\x00", "http://example.com/?a=\x7f"])
def test_control_characters_are_refused_anywhere(url):
    with pytest.raises(AddressRefused):
        check_url(url, allowed=())


def test_a_local_host_may_be_called_when_it_is_named_with_its_port():
    check_url("http://127.0.0.1:8001/gamma", allowed={("127.0.0.1", 8001)})
    check_url("http://localhost:8001/gamma", allowed={("localhost", 8001)})
    with pytest.raises(AddressRefused):
        check_url("http://127.0.0.1:8002/gamma", allowed={("127.0.0.1", 8001)})


def test_a_name_is_refused_when_any_of_its_addresses_is_inside():
    check_resolved(("good.example", 443), ["8.8.8.8"], allowed=())
    with pytest.raises(AddressRefused):
        check_resolved(("rebinding.example", 443), ["8.8.8.8", "10.0.0.1"], allowed=())


def test_hosts_are_read_in_lower_case_with_the_port_of_their_scheme():
    assert host_of("https://Example.COM/x") == ("example.com", 443)
    assert host_of("http://example.com/x") == ("example.com", 80)
    assert host_of("HTTPS://xn--bcher-kva.example:8443?q") == ("xn--bcher-kva.example", 8443)
