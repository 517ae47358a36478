"""The sample archive: one archive in three formats, with pictures that say what they show."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from manifests import codes, metadata
from PIL import Image, IptcImagePlugin

from ldimport.manifest import ReadOptions, open_manifest
from ldimport.manifest.fields import FieldMap
from ldimport.model import Entry

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
MANIFESTS = ("manifest.csv", "manifest.json", "manifest.yaml")


def entries(name: str) -> list[Entry]:
    with open_manifest([SAMPLES / name]) as manifest:
        found = list(manifest.entries())
        assert manifest.notices() == ()
    return found


def as_texts(entry: Entry) -> dict[str, object]:
    """Metadata as the texts of a table, whatever the format had."""

    def text(value: object) -> object:
        match value:
            case bool():
                return "yes" if value else "no"
            case list():
                return "|".join(value)
        return str(value)

    return {handle: text(value) for handle, value in sorted(metadata(entry).items())}


@pytest.mark.parametrize("name", MANIFESTS)
def test_every_format_holds_the_same_archive(name: str) -> None:
    def facts(entry: Entry) -> tuple[object, ...]:
        return entry.id, entry.url, entry.file_name, entry.media_type, as_texts(entry)

    assert list(map(facts, entries(name))) == list(map(facts, entries("manifest.csv")))
    assert all(entry.problems == () for entry in entries(name))


def test_it_has_all_four_types_and_is_small() -> None:
    found = entries("manifest.csv")
    files = [SAMPLES / entry.url for entry in found]
    assert len(found) >= 24
    assert {path.suffix for path in files} >= {".jpg", ".jpeg", ".png", ".gif", ".svg"}
    assert sorted(files) == sorted(p for p in (SAMPLES / "images").rglob("*") if p.is_file())
    assert sum(path.stat().st_size for path in files) < 5_000_000


def test_every_handle_is_one_the_project_knows() -> None:
    config = json.loads((SAMPLES / "project-config.json").read_text())
    types = {t["handle"]: {p["handle"]: p for p in t["metadata"]} for t in config["mediaTypes"]}
    for handle, properties in types.items():
        assert re.fullmatch("[a-z][a-zA-Z0-9-]{2,49}", handle)
        assert all(re.fullmatch("[a-zA-Z][a-zA-Z0-9-_]{2,49}", name) for name in properties)
    for entry in entries("manifest.json"):
        assert entry.media_type in types
        assert entry.metadata.keys() <= types[entry.media_type].keys()
    plugins = {p["type"] for properties in types.values() for p in properties.values()}
    assert plugins >= {
        "li-text",
        "li-date",
        "li-enum",
        "li-string-list",
        "li-boolean",
        "li-integer",
    }


@pytest.mark.parametrize("path", sorted((SAMPLES / "images").rglob("*.jp*g")), ids=lambda p: p.name)
def test_photos_carry_iptc_and_xmp(path: Path) -> None:
    with Image.open(path) as image:
        iptc = IptcImagePlugin.getiptcinfo(image)
        packet = ElementTree.fromstring(image.info["xmp"])
        image.load()
        assert min(image.size) > 800
    assert iptc is not None
    assert iptc[2, 120] and iptc[2, 110]
    description = packet.find(".//{*}Description")
    assert description is not None
    text = " ".join([*description.itertext(), *description.attrib.values()])
    for number in (105, 120, 110):
        value = iptc[2, number]
        assert isinstance(value, bytes)
        assert value.decode() in text


def test_broken_rows_do_not_spoil_the_good_one() -> None:
    found = entries_of_broken()
    by_id = {entry.id: entry for entry in found}
    assert by_id["broken-01"].problems == ()
    assert [code for entry in found for code in codes(entry)] == [
        "ragged-row",
        "ragged-row",
        "bad-quotes",
    ]
    assert len(found) >= 35


def entries_of_broken() -> list[Entry]:
    options = ReadOptions(columns=FieldMap.from_config({"metadata.keywords": {"separator": "|"}}))
    with open_manifest([SAMPLES / "broken.csv"], options) as manifest:
        return list(manifest.entries())
