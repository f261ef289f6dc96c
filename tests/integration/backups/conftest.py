"""A vault of its own for every test, and two tenants to back up."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from apps.tenants.models import Tenant

NOW = datetime(2026, 11, 22, 15, tzinfo=UTC)


@pytest.fixture
def vault_folder(tmp_path, settings):
    """Give the folder into which backups go."""
    settings.BACKUP_DIR = str(tmp_path / "vault")
    return tmp_path / "vault"


@pytest.fixture
def desk(transactional_db, vault_folder):
    """Commit two tenants and give the folder into which backups go."""
    for slug in ("alice", "bob"):
        Tenant.objects.create(slug=slug, name=slug.title(), currency="USDC", created_at=NOW)
    return vault_folder
