"""Docs that could go stale are held against the code."""

from __future__ import annotations

import re

import pytest
from django.conf import settings

from apps.sources.registry import VENDORS
from tests.architecture.houses import PRODUCT, ROOMS, ROOT, python_files

SETTINGS_PAGE = ROOT / "docs" / "settings.md"
# The entries set DJANGO_SETTINGS_MODULE; PostgreSQL's own tools take their password from the environment.
READERS_OF_THE_ENVIRONMENT = {
    "apps/backups/embedded.py",
    "apps/backups/postgres_tools.py",
    "project/celery.py",
    "project/env.py",
    "project/wsgi.py",
}


def _documented() -> dict[str, str]:
    rows = re.findall(r"^\| `([A-Z0-9_]+)` \| (.*?) \|", SETTINGS_PAGE.read_text(), re.M)
    return dict(rows)


def test_every_setting_is_documented_with_its_default():
    declared = {name: entry.default for name, entry in settings.DECLARED_VARIABLES.items()}
    documented = _documented()
    assert sorted(set(declared) - set(documented)) == []
    assert sorted(set(documented) - set(declared)) == []


def test_every_setting_stands_in_the_example_file():
    example = (ROOT / ".env.example").read_text()
    missing = [name for name in settings.DECLARED_VARIABLES if not re.search(rf"^#?{name}=", example, re.M)]
    assert missing == []


def test_the_environment_is_read_in_one_place_only():
    readers = [
        str(path.relative_to(ROOT))
        for path in python_files(*PRODUCT)
        if re.search(r"os\.environ\b|os\.getenv\b", path.read_text()) and "project/local" not in str(path)
    ]
    assert sorted(set(readers) - READERS_OF_THE_ENVIRONMENT) == []


def test_every_source_stands_in_its_table_with_its_quota_and_what_it_offers():
    page = (ROOT / "docs" / "sources.md").read_text()
    rows = {cells[1].strip("` "): cells for line in page.splitlines() if (cells := line.split("|"))[1:2] and "`" in cells[1]}
    said = {slug: (rows[slug][3].strip(), rows[slug][4].strip()) for slug in VENDORS if slug in rows}
    assert said == {
        slug: (", ".join(name.replace("_", " ") for name in vendor.offers), str(vendor.rate_per_minute))
        for slug, vendor in VENDORS.items()
    }


def test_every_room_stands_on_the_map():
    page = (ROOT / "docs" / "architecture.md").read_text()
    assert [room for room in ROOMS if room not in page] == []


@pytest.mark.parametrize("page", sorted(str(path.relative_to(ROOT)) for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]))
def test_links_between_pages_lead_somewhere(page):
    path = ROOT / page
    targets = re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", path.read_text())
    assert [target for target in targets if not (path.parent / target).exists()] == []


def test_decisions_are_numbered_without_gaps_and_have_the_same_parts():
    pages = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
    numbers = [int(path.name[:4]) for path in pages]
    assert numbers == list(range(1, len(pages) + 1))
    for path in pages:
        text = path.read_text()
        assert [part for part in ("## Context", "## Decision", "## Consequences", "## Alternatives") if part not in text] == [], (
            path.name
        )


def test_the_changelog_keeps_its_form():
    text = (ROOT / "CHANGELOG.md").read_text()
    assert "## [Unreleased]" in text
    assert set(re.findall(r"^### (\w+)", text, re.M)) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_nothing_committed_names_a_path_of_a_developers_machine():
    found = [
        str(path.relative_to(ROOT))
        for folder in (*PRODUCT, "tests", "docs", "bin", "requirements")
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
        and path.suffix in {".py", ".md", ".txt", ".in", ".sh", ""}
        and path != ROOT / "tests/architecture/test_docs.py"
        and re.search(r"/work/main|/tmp/bw\b|/root/", path.read_text(errors="replace"))
    ]
    assert found == []
