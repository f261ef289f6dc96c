"""The recording and its peer, loaded once."""

from __future__ import annotations

import pytest
from resolvedkit.data.parquet import ParquetSource
from resolvedkit.data.sample import load_sample

from apps.sources.world.recording import Recording, load_recording


@pytest.fixture(scope="session")
def recording() -> Recording:
    """Load the recording as the world does."""
    return load_recording()


@pytest.fixture(scope="session")
def peer() -> ParquetSource:
    """Load the same data as `resolvedkit` itself reads it."""
    return load_sample()
