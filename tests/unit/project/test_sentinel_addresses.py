"""How a Redis address is read, and said again to three libraries; a wrong one stops the start with one line."""

from __future__ import annotations

import os
import subprocess
import sys
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kombu import Connection

from apps.resilience.stores.redis_servers import SentinelAddress, is_sentinel, sentinel_address
from project.env import WrongSetting
from project.redis_addresses import as_broker, as_cache, checked, of_database
from tests.architecture.houses import ROOT

THREE = "sentinel://:pass@one:26379,two:26380,[::1]/3?master=bellwether"
WORDS = st.text(min_size=1, max_size=20)
HOSTS = st.lists(st.tuples(st.from_regex(r"[a-z][a-z0-9-]{0,9}", fullmatch=True), st.integers(1, 65535)), min_size=1, max_size=5)


def test_an_address_names_its_sentinels_its_master_and_its_login():
    assert sentinel_address(THREE) == SentinelAddress(
        sentinels=(("one", 26379), ("two", 26380), ("::1", 26379)),
        master="bellwether",
        database=3,
        username=None,
        password="pass",
        sentinel_password=None,
    )


@given(hosts=HOSTS, username=WORDS, password=WORDS, sentinel_password=WORDS, database=st.integers(0, 99_999))
def test_whatever_the_passwords_are_they_are_read_as_they_were_written(hosts, username, password, sentinel_password, database):
    login = f"{quote(username, safe='')}:{quote(password, safe='')}"
    where = ",".join(f"{host}:{port}" for host, port in hosts)
    url = f"sentinel://{login}@{where}/{database}?master=m&sentinel_password={quote(sentinel_password, safe='')}"
    assert sentinel_address(url) == SentinelAddress(tuple(hosts), "m", database, username, password, sentinel_password)
    assert checked("REDIS_URL", url) == url


@given(hosts=HOSTS, username=WORDS, password=WORDS, database=st.integers(0, 99_999))
def test_the_broker_is_told_the_same(hosts, username, password, database):
    login = f"{quote(username, safe='')}:{quote(password, safe='')}"
    where = ",".join(f"{host}:{port}" for host, port in hosts)
    url, options = as_broker(f"sentinel://{login}@{where}/{database}?master=m")
    with Connection(url, transport_options=options) as broker:
        assert (broker.userid, broker.password, broker.virtual_host) == (username, password, str(database))
        assert broker.alt == []  # kombu would go on with the next one's own transport
        assert broker.as_uri(include_password=True).startswith(f"sentinel://{login}@{hosts[0][0]}:{hosts[0][1]}/")
    assert (options["master_name"], options["sentinels"]) == ("m", tuple(hosts))


def test_a_cache_reads_from_the_master_and_shares_no_connections_with_another_master_of_that_name():
    one = as_cache("sentinel://:pass@one:26379/1?master=bellwether", {"SOCKET_TIMEOUT": 0.5})
    other = as_cache("sentinel://:pass@other:26379/1?master=bellwether", {"SOCKET_TIMEOUT": 0.5})
    assert one["LOCATION"] == "redis://bellwether/1#one:26379"
    assert one["LOCATION"] != other["LOCATION"]
    assert one["OPTIONS"]["SENTINELS"] == [("one", 26379)]
    assert one["OPTIONS"]["PASSWORD"] == "pass"
    assert one["OPTIONS"]["SOCKET_TIMEOUT"] == 0.5


def test_an_address_of_one_server_is_passed_on_as_it_is():
    url = "rediss://user:pass@host:6380/4?ssl_cert_reqs=none"
    assert checked("REDIS_URL", url) == url
    assert as_broker(url) == (url, {})
    assert as_cache(url, {"SOCKET_TIMEOUT": 1}) == {"LOCATION": url, "OPTIONS": {"SOCKET_TIMEOUT": 1}}
    assert not is_sentinel(url)


@pytest.mark.parametrize(
    ("url", "number", "moved"),
    [
        ("redis://host:6379/0", 2, "redis://host:6379/2"),
        ("redis://:p@host:6379", 1, "redis://:p@host:6379/1"),
        ("redis://host:6379/", 1, "redis://host:6379/1"),
        ("rediss://host:6379/5?ssl_cert_reqs=none", 2, "rediss://host:6379/7?ssl_cert_reqs=none"),
        (THREE, 2, THREE.replace("/3?", "/5?")),
    ],
)
def test_the_desk_uses_three_databases_of_one_server(url, number, moved):
    assert of_database(url, number) == moved


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sentinel://:s3cret@one:26379/0", r"REDIS_URL needs \?master=NAME"),
        ("sentinel://:s3cret@one:26379/0?master=My Master", r"REDIS_URL needs \?master=NAME"),
        ("sentinel://:s3cret@one:26379/zero?master=m", "REDIS_URL must end in a database number"),
        ("sentinel://:s3cret@one:26379/0?master=m&ssl=s3cret", "REDIS_URL knows no 'ssl'"),
        ("sentinel://:s3cret@one:many/0?master=m", "REDIS_URL names a Sentinel whose port is no number"),
        ("sentinel://:s3cret@one:99999/0?master=m", "REDIS_URL names a Sentinel whose port is no number"),
        ("sentinel://:s3cret@one,,two/0?master=m", "REDIS_URL must name its Sentinels"),
        ("sentinel:///0?master=m", "REDIS_URL must name its Sentinels"),
        ("http://:s3cret@host:6379/0", "REDIS_URL must be an address such as"),
        ("redis://:s3/cret@host:6379/0", "REDIS_URL must be an address such as"),
        ("redis://:s3cret@host:6379/first", "REDIS_URL must be an address such as"),
        ("host:6379", "REDIS_URL must be an address such as"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_showing_its_password(url, said):
    with pytest.raises(WrongSetting, match=f"^{said}") as refusal:
        checked("REDIS_URL", url)
    assert "s3" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", ["REDIS_URL", "CACHE_REDIS_URL"])
def test_the_start_stops_with_one_line(name):
    variables = {**os.environ, name: "sentinel://:s3cret@one:26379/0"}
    started = subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=ROOT, env=variables, capture_output=True, text=True, check=False
    )
    assert started.returncode == 2
    assert started.stderr == f"bellwether: {name} needs ?master=NAME, in lower-case letters, digits, dots and dashes\n"
