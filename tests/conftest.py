"""Fixtures that every part of the tests shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("steady", deadline=None)  # a busy machine is no reason to fail
settings.load_profile("steady")
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The corpora of real files; tests that need them are skipped where they are absent."""
    place = Path(os.environ.get("LDIMPORT_CORPORA", ROOT.parent / "shared" / "corpora"))
    if not (place / "manifest.jsonl").is_file():
        pytest.skip(f"no corpora at {place} (set LDIMPORT_CORPORA)")
    return place
