"""The example of docs/python.md that needs a server runs against a served engine."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
from served import TOKEN, Origin, picture, served

PAGE = Path(__file__).resolve().parents[2] / "docs" / "python.md"


def test_the_example_of_a_client_imports_its_image(
    tmp_path: Path,
    origin: Origin,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
    (code,) = (block for block in blocks if 'LivingdocsClient("https://' in block)
    image = "https://images.example.org/lake-morning.jpg"
    assert image in code
    monkeypatch.setenv("LDIMPORT_TOKEN", TOKEN)
    with served(tmp_path / "engine", allow=(origin.host,)) as api:
        here = code.replace(image, origin.put("lake-morning.jpg", picture()))
        script = tmp_path / "example.py"
        script.write_text(here.replace("https://server.livingdocs.io", api.url), encoding="utf-8")
        runpy.run_path(str(script), run_name="__main__")
        assert api.engine is not None
        entry = api.engine.find("my-archive", "2003-04511")
    assert entry is not None
    types, result, media_id = capsys.readouterr().out.splitlines()
    assert types == "['image']"
    assert result.startswith("2003-04511 success http") or "Status.SUCCESS" in result
    assert media_id == entry.id
