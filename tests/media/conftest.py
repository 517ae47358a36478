"""Fixtures of the tests of media."""

from __future__ import annotations

from pathlib import Path

import pytest
from media_files import Breaking


@pytest.fixture
def breaking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Breaking:
    """Have a statement run in each new child before it decodes ``data``."""

    def breaks(statement: str, first: str = "") -> None:
        (tmp_path / "sitecustomize.py").write_text(
            f"import os, mmap; {first}\n"
            "from ldimport.media import decoding\n"
            "sound = decoding.decode\n"
            "def decode(kind, data, limits):\n"
            f"    {statement}\n"
            "    sound(kind, data, limits)\n"
            "decoding.decode = decode\n"
        )
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    return breaks
