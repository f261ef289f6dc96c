"""A wrong value stops the start with one line that names the variable."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from project.env import Environment, WrongSetting
from tests.architecture.houses import ROOT


def _env(**values: str) -> Environment:
    return Environment(values)


def test_defaults_hold_when_nothing_is_set():
    env = _env()
    assert env.text("NAME", "x", "m") == "x"
    assert env.whole("COUNT", 3, "m") == 3
    assert env.number("RATE", 0.5, "m") == 0.5
    assert env.truth("ON", default=True, meaning="m") is True
    assert env.words("HOSTS", "a,b", "m") == ["a", "b"]
    assert sorted(env.declared) == ["COUNT", "HOSTS", "NAME", "ON", "RATE"]


@pytest.mark.parametrize(
    ("word", "truth"), [("true", True), ("1", True), ("YES", True), ("off", False), ("0", False), ("No", False)]
)
def test_truth_has_its_usual_words(word, truth):
    assert _env(ON=word).truth("ON", default=not truth, meaning="m") is truth


@pytest.mark.parametrize(
    ("values", "read"),
    [
        ({"COUNT": "many"}, lambda env: env.whole("COUNT", 3, "m")),
        ({"COUNT": "-1"}, lambda env: env.whole("COUNT", 3, "m")),
        ({"COUNT": "nan"}, lambda env: env.number("COUNT", 3, "m")),
        ({"COUNT": "inf"}, lambda env: env.number("COUNT", 3, "m")),
        ({"COUNT": "maybe"}, lambda env: env.truth("COUNT", default=True, meaning="m")),
        ({"COUNT": "green"}, lambda env: env.choice("COUNT", "red", "m", of=("red", "blue"))),
        ({"COUNT_FILE": "/does/not/exist"}, lambda env: env.text("COUNT", "", "m")),
    ],
)
def test_a_wrong_value_names_its_variable(values, read):
    with pytest.raises(WrongSetting, match=r"^COUNT"):
        read(Environment(values))


def test_a_secret_may_come_from_a_file(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    assert _env(SECRET_KEY_FILE=str(secret)).text("SECRET_KEY", "", "m") == "s3cret"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOG_LEVEL", "LOUD"),
        ("DB_CONN_TIMEOUT", "soon"),
        ("PAPER_TRADING", "perhaps"),
        ("DATABASE_URL", "mysql://x/y"),
        ("ENVIRONMENT", "moon"),
        ("TRUSTED_PROXIES", "10.0.0.1,home"),
    ],
)
def test_the_start_stops_with_one_line_and_code_2(name, value):
    result = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={**os.environ, name: value},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert name in result.stderr


def test_production_insists_on_a_secret_key():
    environment = {key: value for key, value in os.environ.items() if key != "SECRET_KEY"} | {"ENVIRONMENT": "production"}
    result = subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (result.returncode, result.stderr) == (2, "bellwether: SECRET_KEY must be set in production\n")


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"SOURCES_ON": "yahoo,nope"}, "SOURCES_ON"),
        ({"KIT_PROCESSES": "0"}, "KIT_PROCESSES"),
        ({"NEWSAPI_RATE_PER_MINUTE": "-1"}, "NEWSAPI_RATE_PER_MINUTE"),
        ({"ANALYST_COST_CAP": "nan"}, "ANALYST_COST_CAP"),
        ({"YAHOO_BASE_URL": "ftp://x"}, "YAHOO_BASE_URL"),
        ({"NEWSAPI_API_KEY": "two\nlines"}, "NEWSAPI_API_KEY"),
    ],
)
def test_a_wrong_setting_of_a_source_stops_the_start_in_one_line(values, named):
    command = [sys.executable, "-c", "import django; django.setup()"]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "project.settings", "SECRET_KEY": "x", **values}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert named in done.stderr


@pytest.mark.parametrize(
    "text",
    [
        "ftp://x",
        "host",
        "http://",
        "http://a b",
        "http://h:99999",
        "http://h:x",
        "http://user:word@h",
        "//h",
        "file:",
        "http://ü",
        "http://[::1",
    ],
)
def test_what_is_no_address_is_refused_by_name(text):
    with pytest.raises(WrongSetting, match=r"^X_BASE_URL must be an address such as https://host"):
        Environment({"X_BASE_URL": text}).address("X_BASE_URL", "", "where", schemes=("https", "http", "file"))


@pytest.mark.parametrize(
    "text", ["", "https://h", "http://127.0.0.1:8990/gamma", "http://[::1]:80/x", "file:///data/x", "https://h/a?b=c"]
)
def test_addresses_are_taken_as_they_are(text):
    assert Environment({"X_BASE_URL": text}).address("X_BASE_URL", "", "where", schemes=("https", "http", "file")) == text


@pytest.mark.parametrize("text", ["two\nlines", "schl\u00fcssel", "tab\tbed", "null\x00"])
def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(text):
    with pytest.raises(WrongSetting, match=r"^X_API_KEY must be one line") as refusal:
        Environment({"X_API_KEY": text}).secret("X_API_KEY", "key")
    assert text not in str(refusal.value)
    assert Environment({"X_API_KEY": "a b/+="}).secret("X_API_KEY", "key") == "a b/+="
