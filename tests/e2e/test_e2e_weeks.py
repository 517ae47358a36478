"""Night after night under a daily limit, with faults, kills and a clock that moves."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).parents[1] / "bench" / "weeks.py"


def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("weeks", BENCH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["weeks"] = module
    spec.loader.exec_module(module)
    return module


WEEKS = bench()


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.skipif(WEEKS.library() is None, reason="libfaketime is not installed")
@pytest.mark.parametrize(("images", "limit", "batch"), [(300, 100, 500), (300, 60, 25)])
def test_weeks_end_complete(images: int, limit: int, batch: int, tmp_path: Path) -> None:
    found = WEEKS.play(WEEKS.Plan(images, limit, batch), tmp_path)
    assert found.wrong == []
    assert found.arrived == images and found.mails == []
