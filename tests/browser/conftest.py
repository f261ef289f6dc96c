"""A real browser on a real server: Debian's Chromium, signed in as staff."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.integration.desk.day import Day, open_day

CHROMIUM = Path("/usr/bin/chromium")
PASSWORD = "correct-horse-battery-staple"


def pytest_collection_modifyitems(items):
    for item in items:
        if "tests/browser" in str(item.path):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="module")  # an open browser keeps an event loop running, which others need
def chromium():
    """Start the browser once; skip in words when there is none, unless REQUIRE_BROWSER=1."""
    if not CHROMIUM.exists():
        reason = f"{CHROMIUM} is not installed (apt-get install chromium); REQUIRE_BROWSER=1 makes this a failure"
        (pytest.fail if os.environ.get("REQUIRE_BROWSER") == "1" else pytest.skip)(reason)
    from playwright.sync_api import sync_playwright

    with pytest.MonkeyPatch.context() as patch:
        # Playwright keeps an event loop in this thread, in which Django would refuse to touch the database.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
            yield browser
            browser.close()


@pytest.fixture
def day(transactional_db, chromium, settings, clean_redis) -> Day:
    settings.SCHEDULE_SPEED = 1.0
    return open_day(now=datetime.now(tz=UTC).replace(microsecond=0) - timedelta(minutes=1))


class Visit:
    """One page with everything that the browser complained about."""

    def __init__(self, page, address):
        self.page, self.address = page, address
        self.complaints: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("requestfailed", self.note_failure)

    def note_failure(self, request) -> None:
        """Note a request that failed; one that was given up because the page was left is no failure."""
        if request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"failed: {request.url} {request.failure}")

    def go(self, path: str) -> None:
        self.page.goto(self.address + path, wait_until="load")

    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


@pytest.fixture
def visit(chromium, day, live_server, django_user_model) -> Iterator:
    """Open pages as signed-in staff: `visit(width=360, scheme="dark", script=True)`."""
    from django.test import Client

    client = Client()
    client.force_login(django_user_model.objects.create_user("olga", password=PASSWORD, is_staff=True, is_superuser=True))
    session = client.cookies["sessionid"].value
    contexts = []

    def open_page(*, width: int = 1920, scheme: str = "light", script: bool = True, signed_in: bool = True) -> Visit:
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=script, timezone_id="Asia/Tokyo"
        )
        contexts.append(context)
        if signed_in:
            context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        return Visit(context.new_page(), live_server.url)

    yield open_page
    for context in contexts:
        context.close()
