"""People at the door: staff, a stranger, nobody, and a program with the ops token."""

from __future__ import annotations

import pytest
from django.test import Client

from apps.accounts.models import User


@pytest.fixture
def staff(_django_db_helper) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_user("olga", is_staff=True))
    return client


@pytest.fixture
def stranger(_django_db_helper) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_user("charlie"))
    return client


@pytest.fixture
def nobody() -> Client:
    return Client(raise_request_exception=False)


@pytest.fixture
def ops(settings) -> Client:
    settings.OPS_TOKEN = "ops-token-of-the-tests"
    return Client(headers={"Authorization": "Bearer ops-token-of-the-tests"}, raise_request_exception=False)
