"""Which names look like secrets."""

import pytest

from apps.audit.secrecy import looks_secret, secret_names


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "new_password",
        "token",
        "apiToken",
        "API-KEY",
        "apiKey",
        "secret",
        "client_secrets",
        "key",
        "Authorization",
        "passwords",
    ],
)
def test_these_look_like_secrets(name):
    assert looks_secret(name)


@pytest.mark.parametrize(
    "name", ["idempotency_key", "fencing_token", "keyboard", "monkey", "tokenised", "stake_minor", "secretary", ""]
)
def test_these_do_not(name):
    assert not looks_secret(name)


def test_secrets_are_found_at_any_depth():
    detail = {"a": [{"b": {"api_key": 1}}], "token": 2, "c": ({"password": 3},)}
    assert list(secret_names(detail)) == ["api_key", "token", "password"]
