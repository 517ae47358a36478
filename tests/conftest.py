"""Fixtures that every part of the tests shares."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from json_schemas import hold

ROOT = Path(__file__).resolve().parent.parent

# a busy machine is no reason to fail; the quick suite tries the same examples every time, the
# slow suite (--hypothesis-profile=thorough) ever new ones
steady = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", steady, max_examples=50, derandomize=True)
settings.register_profile("thorough", steady, max_examples=500)
settings.load_profile("quick")

hold()  # whatever a test prints as JSON fits its schema

if sys.dont_write_bytecode:  # Python starts hundreds of times here: keep what it compiles aside
    sys.dont_write_bytecode = False
    sys.pycache_prefix = str(ROOT / ".pytest_cache" / "bytecode")
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # python -B sets none


def pytest_xdist_auto_num_workers() -> int:
    """Half of the tests' time is waiting for processes: two for each core."""
    return 2 * (os.cpu_count() or 1)


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The corpora of real files; tests that need them are skipped where they are absent."""
    place = Path(os.environ.get("LDIMPORT_CORPORA", ROOT.parent / "shared" / "corpora"))
    if not (place / "manifest.jsonl").is_file():
        pytest.skip(f"no corpora at {place} (set LDIMPORT_CORPORA)")
    return place


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests, and property tests with many examples, get the time that they need."""
    for item in items:
        if item.get_closest_marker("slow") or settings.default.max_examples > 100:
            item.add_marker(pytest.mark.timeout(900))
