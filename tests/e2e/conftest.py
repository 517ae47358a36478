"""Fixtures of the end-to-end tests; what they are made of is in ``command_line``."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_line import ROOT, Ldimport, Origin, an_origin


@pytest.fixture
def run(tmp_path: Path) -> Ldimport:
    return Ldimport(tmp_path)


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """A copy of the samples that a test may change."""
    place = tmp_path / "samples"
    shutil.copytree(ROOT / "samples", place)
    return place


@pytest.fixture
def origin() -> Iterator[Origin]:
    with an_origin() as found:
        yield found


@pytest.fixture
def archive(tmp_path: Path, origin: Origin) -> Callable[..., Path]:
    """Writes a CSV manifest of N photos of the origin."""

    def write(rows: int, name: str = "archive.csv") -> Path:
        path = tmp_path / name
        lines = [f"id-{n},{origin.url(f'{n}.jpg')},Photo {n}" for n in range(rows)]
        path.write_text("id,url,fileName\n" + "\n".join(lines) + "\n")
        return path

    return write
