"""What README and docs show of settings is read as it is written."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from ldimport.migration.mapping import mistakes
from ldimport.migration.open import read_options
from ldimport.schema import config
from ldimport.settings import load

ROOT = Path(__file__).resolve().parents[2]


def blocks(page: str, section: str) -> list[str]:
    """The indented blocks of a section."""
    text = (ROOT / page).read_text(encoding="utf-8").split(f"\n## {section}\n")[1]
    text = text.split("\n## ")[0]
    return [textwrap.dedent(each) for each in re.findall(r"(?:^ {4}.*\n|^\n(?= {4}))+", text, re.M)]


def test_the_profiles_and_tokens_of_the_readme_are_in_force(tmp_path: Path) -> None:
    shared, private = blocks("README.md", "Settings")
    (tmp_path / "ldimport.yaml").write_text(shared)
    own = tmp_path / "home" / ".config" / "ldimport"
    own.mkdir(parents=True)
    command = tmp_path / "pass"
    command.write_text("#!/bin/sh\necho secret-of-$2\n")
    command.chmod(0o755)
    (own / "test.token").write_text("secret-of-test\n")
    (own / "test.token").chmod(0o600)
    text = private.replace("pass show", f"{command} show").replace("livingdocs/live", "live")
    (own / "config.yaml").write_text(text)
    for profile in ("test", "live"):
        flags = {"profile": profile, "config": "ldimport.yaml"}
        found = load(flags, environ={}, cwd=tmp_path, home=tmp_path / "home")
        assert found.target == {"test": "https://test.example.com/proxy/api",
                                "live": "https://edit.example.com/proxy/api"}[profile]  # fmt: skip
        assert found.token is not None and found.token.reveal() == f"secret-of-{profile}"
        assert found.state.name == f"{profile}.sqlite"


def test_the_mapping_of_the_manual_has_no_mistake_but_the_project(tmp_path: Path) -> None:
    (block,) = blocks("docs/manifests.md", "Your own columns")
    (tmp_path / "ldimport.yaml").write_text(block)
    flags = {"config": "ldimport.yaml"}
    found = load(flags, environ={}, cwd=tmp_path, home=tmp_path / "home")
    options: list[dict[str, str]] = [{"label": "City", "value": "city"}]
    names = {"credit": "li-text", "source": "li-text", "taken": "li-date", "updated": "li-datetime",
             "keywords": "li-string-list"}  # fmt: skip
    properties = [{"handle": name, "type": kind} for name, kind in names.items()]
    desk = {"handle": "desk", "type": "li-enum", "config": {"dataProvider": {"items": options}}}
    types = [{"handle": handle, "type": "mediaImage", "metadata": [*properties, desk]}
             for handle in ("image", "graphic")]  # fmt: skip
    project = config.from_json({"mediaTypes": types})
    columns = read_options(found.manifest).columns
    assert [*mistakes(columns, project)] == []
    assert columns.writings["metadata.taken"].date == "%d.%m.%Y"
