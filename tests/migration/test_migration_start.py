"""What ``init`` writes: settings that are read, and a manifest whose example row is right."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ldimport.manifest import open_manifest
from ldimport.migration.init import Start, columns, write_start
from ldimport.migration.validate import validate
from ldimport.model import Json
from ldimport.schema import config
from ldimport.schema.check import Checker
from ldimport.schema.config import ProjectConfig
from ldimport.schema.properties import PLUGINS

ITEMS: Json = {"items": [{"label": "B", "value": "b"}, {"label": "C", "value": "c"}]}
LIMITS: dict[str, list[dict[str, Json]]] = {
    "li-text": [
        {"minLength": 40}, {"maxLength": 3}, {"dataProvider": ITEMS}, {"allowNewlines": False},
        {"recommendedMinLength": 20, "recommendedMaxLength": 30},
    ],
    "li-enum": [{"dataProvider": ITEMS}],
    "li-integer": [{"minValue": 7}, {"maxValue": 0}, {"minValue": 3, "maxValue": 3}],
    "li-string-list": [{"maxItems": 1}, {"dataProvider": ITEMS}, {"maxItems": 1, "maxLength": 2}],
    "li-numeric-list": [{"maxItems": 1}],
    "li-document-references": [{"min": 3}, {"max": 1}],
    "li-named-crops": [{"namedCrops": [{"name": "desktop"}, {"name": "m", "isOptional": True}]}],
    "li-image": [{"namedCrops": [{"name": "desktop"}]}],
}  # fmt: skip
CASES = [
    (plugin, settings)
    for plugin, known in PLUGINS.items()
    if known.media
    for settings in ([{}] if plugin != "li-enum" else []) + LIMITS.get(plugin, [])
]


def project(plugin: str, settings: dict[str, Json]) -> ProjectConfig:
    field: Json = {"handle": "field", "type": plugin, "config": {"required": True, **settings}}
    kind: Json = {"handle": "photo", "type": "mediaImage", "metadata": [field]}
    found: Json = {
        "mediaTypes": [kind],
        "settings": {"defaultMediaTypes": {"mediaImage": "photo"}},
    }
    return config.from_json(found, origin="test")


@pytest.mark.parametrize(("plugin", "settings"), CASES)
def test_the_example_row_of_every_plugin_has_nothing_wrong(
    tmp_path: Path, plugin: str, settings: dict[str, Json]
) -> None:
    found = project(plugin, settings)
    start = Start("embedded", "archive", None)
    _, path = write_start(tmp_path, start, columns(found))
    with open_manifest([path]) as manifest:
        checked = validate(manifest, Checker(found))
        assert manifest.notices() == ()
    assert (checked.entries, [each.message for each in checked.problems]) == (1, [])


def test_required_columns_are_marked_and_the_others_too(tmp_path: Path) -> None:
    metadata: Json = [
        {"handle": "credit", "type": "li-text", "config": {"required": True}},
        {"handle": "place", "type": "li-text"},
    ]
    found = config.from_json(
        {"mediaTypes": [{"handle": "image", "type": "mediaImage", "metadata": metadata}]},
        origin="test",
    )
    settings, manifest = write_start(tmp_path, Start("embedded", "a", None), columns(found))
    marks = dict(line[1:].split()[:2] for line in settings.read_text().splitlines()
                 if "required" in line or "optional" in line)  # fmt: skip
    assert marks == {
        "id": "required", "url": "required", "fileName": "required", "mediaType": "optional",
        "metadata.credit": "required", "metadata.place": "optional",
    }  # fmt: skip
    assert manifest.read_text().splitlines()[0].split(",") == list(marks)


def test_a_projects_own_plugin_has_a_column_without_an_example() -> None:
    found = project("our-slug", {})
    assert [(each.name, each.example) for each in columns(found)][-1] == ("metadata.field", "")


def test_both_files_are_private_and_follow_links(tmp_path: Path) -> None:
    (tmp_path / "real.yaml").write_text("old")
    (tmp_path / "ldimport.yaml").symlink_to("real.yaml")
    found = columns(config.default())
    start = Start("embedded", "archive", None)
    settings, manifest = write_start(tmp_path, start, found, overwrite=True)
    assert settings.is_symlink() and "systemName" in (tmp_path / "real.yaml").read_text()
    if os.name == "posix":
        assert {path.stat().st_mode & 0o777 for path in (settings, manifest)} == {0o600}
