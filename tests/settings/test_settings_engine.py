"""The ``engine:`` block, ``userAgent``, ``caFile``: each checked, in its place, with a source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from agreeing import agree

from ldimport.errors import ConfigError, LdimportError, UsageError
from ldimport.model import ExifPrecedence, ImageType, Limits, Nulls, Publishing, Variants
from ldimport.settings import Settings, UntrustedError, check, describe, load
from ldimport.settings.values import SETTINGS

CERTIFICATE = Path(__file__).parents[1] / "client" / "certificates" / "valid.pem"
BLOCK = """
userAgent: Tagblatt archive
engine:
  limits:
    bytes: 20MB
    pixels: 50 MP
    frames: 10
    body: 100_000
  formats: [JPEG, png]
  exifPrecedence: file
  publishing: warn
  nulls: refuse
  keyInResults: yes
  publicUrl: https://pictures.example
  variants: none
  renditionCache: 1GB
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "home" / ".config" / "ldimport").mkdir(parents=True)
    return tmp_path


def settings(place: Path, text: str = "", **flags: object) -> Settings:
    (place / "ldimport.yaml").write_text(text)
    return load(flags, environ={}, cwd=place, home=place / "home")


def test_every_setting_of_the_block_counts_and_tells_where_it_comes_from(place: Path) -> None:
    found = settings(place, BLOCK)
    limits = Limits(20_000_000, 50_000_000, 10)
    assert found.engine_options == {
        "limits": limits, "public_url": "https://pictures.example", "variants": Variants.NONE,
        "key_in_results": True, "rendition_bytes": 1_000_000_000}  # fmt: skip
    job = found.job_options
    assert (job.formats, job.exif_precedence) == ((ImageType.PNG, ImageType.JPG),
                                                  ExifPrecedence.FILE)  # fmt: skip
    assert (job.lenient, job.nulls, job.user_agent) == (True, Nulls.REFUSE, "Tagblatt archive")
    assert (found.max_body, found.publishing) == (100_000, Publishing.WARN)
    rows = {row.key: row for row in describe(found)}
    of_block = [each.key for each in SETTINGS if each.at]
    assert len(of_block) == 12
    for key in (*of_block, "userAgent"):
        assert rows[key].source == str(place / "ldimport.yaml") and rows[key].value, key
    told = {each.subject: each.message for each in check(found)}
    assert told["engine.nulls"] == f"refuse, from {place / 'ldimport.yaml'}"


def test_without_a_block_all_is_as_it_is_documented(place: Path) -> None:
    found = settings(place)
    assert found.engine_options["limits"] == Limits() and found.max_body == 500_000
    job = found.job_options
    assert (job.lenient, job.nulls, job.exif_precedence) == (False, "clear", "request")
    rows = {row.key: row for row in describe(found)}
    assert (rows["engine.limits.bytes"].value, rows["engine.limits.bytes"].source) == (
        "15000000", "default")  # fmt: skip
    assert rows["engine.keyInResults"].value == "false"
    assert found.engine_options["rendition_bytes"] == 512_000_000


def test_a_profile_changes_single_ones(place: Path) -> None:
    top = "engine: {nulls: keep, limits: {bytes: 7}}"
    own = "profiles: {big: {engine: {limits: {bytes: 9}}}}"
    found = settings(place, f"{top}\n{own}", profile="big")
    assert (found.max_bytes, found.nulls) == (9, Nulls.KEEP)
    sources = found.sources
    assert sources["engine.limits.bytes"] == f"{place / 'ldimport.yaml'} (profile big)"
    assert sources["engine.nulls"] == f"{place / 'ldimport.yaml'}"


@pytest.mark.parametrize("text", ["engine:", "engine: {}", "engine: {limits: }", "engine: ~"])
def test_a_block_without_anything_in_it_is_none(place: Path, text: str) -> None:
    assert settings(place, text) == settings(place)


@pytest.mark.parametrize("text", ["engine: data", "engine: {folder: data, nulls: keep}"])
def test_the_folder_is_a_text_or_stands_in_the_block_and_needs_agreement(
    place: Path, text: str
) -> None:
    with pytest.raises(UntrustedError) as caught:
        settings(place, text)
    assert caught.value.facts == {"engine": str(place / "data")}
    agree(place / "home", place / "ldimport.yaml")
    assert settings(place, text).engine == place / "data"


def test_a_file_of_certificates_needs_agreement(place: Path) -> None:
    with pytest.raises(UntrustedError) as caught:
        settings(place, "caFile: ca.pem")
    assert [*caught.value.facts] == ["caFile"]
    agree(place / "home", place / "ldimport.yaml")
    found = settings(place, "caFile: ca.pem")
    assert found.job_options.ca_file == str(place / "ca.pem")
    (told,) = [each for each in check(found) if each.subject == "caFile"]
    assert told.severity == "error" and str(place / "ca.pem") in told.message
    (place / "ca.pem").write_bytes(CERTIFICATE.read_bytes())
    (told,) = [each for each in check(found) if each.subject == "caFile"]
    assert told.severity is None


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("engine: {nuls: keep}", ":1: engine.nuls is not a setting", "did you mean nulls?"),
        ("engine:\n  limits: {byte: 5}", ":2: engine.limits.byte is not", "did you mean bytes?"),
        ("engine: {xyz: 5}", "engine.xyz is not a setting", "known are folder, limits, formats"),
        ("engine: {limits: 5}", "engine.limits must be a mapping", ""),
        ("engine: {limits: {bytes: 0}}", "must be a number from 1 to", "15MB"),
        ("engine: {limits: {bytes: yes}}", "engine.limits.bytes must be a number", ""),
        ("engine: {limits: {bytes: 15 parrots}}", "must be a number", ""),
        ("engine: {limits: {bytes: 1e99}}", "must be a number", ""),
        ("engine: {limits: {body: 10}}", "must be a number from 1,000", ""),
        ("engine: {formats: [webp]}", "holds webp; the engine reads png, jpg, gif, svg", ""),
        ("engine: {formats: [pgn]}", "holds pgn", "did you mean png?"),
        ("engine: {formats: []}", "must name a format", ""),
        ("engine: {formats: 5}", "must be a list of formats", ""),
        ("engine: {nulls: kepe}", "must be one of clear, keep, refuse", "did you mean keep?"),
        ("engine: {publishing: 5}", "must be one of enforce, warn", ""),
        ("engine: {exifPrecedence: [file]}", "must be one of request, file", ""),
        ("engine: {keyInResults: key}", "must be true or false", ""),
        ("engine: {publicUrl: pictures}", "must be an http or https URL", ""),
        ("engine: [a]", "must be a text, not a list", ""),
        ('userAgent: "a\\r\\nb"', "must be printable ASCII on one line", "User-Agent"),
        ('userAgent: "a\\tb"', "must be printable ASCII", ""),
        ("userAgent: Zürich", "must be printable ASCII", ""),
        ("userAgent: ''", "must not be empty", ""),
        ("userAgent: 5", "must be a text", ""),
        ("useragent: x", "useragent is not a setting", "did you mean userAgent?"),
        ("cafile: x", "cafile is not a setting", "did you mean caFile?"),
        ("engine.nulls: keep", "engine.nulls is not a setting", ""),
    ],
)
def test_what_is_wrong_is_told_with_its_place(
    place: Path, text: str, message: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(place, text)
    told = f"{caught.value.message} {caught.value.hint}"
    assert message in caught.value.message and hint in told and "ldimport.yaml" in told


@pytest.mark.parametrize(
    ("written", "amount"),
    [("15MB", 15_000_000), ("15 mb", 15_000_000), ("500kb", 500_000), ("1.5M", 1_500_000),
     ("2MiB", 2_097_152), ("24,000,000", 24_000_000), (7, 7)],
)  # fmt: skip
def test_amounts_are_written_as_people_write_them(place: Path, written: Any, amount: int) -> None:
    assert settings(place, f"engine: {{limits: {{bytes: '{written}'}}}}").max_bytes == amount


@pytest.mark.parametrize("key", ["engine: ", ""])
def test_a_file_of_its_own_holds_the_block(place: Path, key: str) -> None:
    (place / "rules").mkdir()
    (place / "rules" / "e.yaml").write_text(key + "{folder: data, nulls: keep}")
    found = settings(place, "engine: {nulls: refuse, variants: auto}", profile_file="rules/e.yaml")
    assert (found.nulls, found.variants) == (Nulls.KEEP, Variants.AUTO)
    assert found.engine == place / "rules" / "data"
    assert found.sources["engine.nulls"] == str(place / "rules" / "e.yaml")


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [(None, UsageError, "no such file"), ("nuls: keep", ConfigError, "engine.nuls is not"),
     ("[a]", ConfigError, "expected settings"), ("systemName: a", ConfigError, "is not a setting")],
)  # fmt: skip
def test_what_is_wrong_in_a_file_of_its_own_is_told(
    place: Path, content: str | None, kind: type[LdimportError], message: str
) -> None:
    if content is not None:
        (place / "e.yaml").write_text(content)
    with pytest.raises(kind, match=message):
        settings(place, profile_file="e.yaml")


def test_the_page_knows_every_setting_of_the_block_and_its_example_is_the_default(
    place: Path,
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "serve.md").read_text()
    section = page.partition("## What Livingdocs leaves open")[2].partition("\n## ")[0]
    for key in (each.at.removeprefix("engine.") for each in SETTINGS if each.at):
        assert f"`{key}`" in section or f"`.{key.rpartition('.')[2]}`" in section, key
    lines = section.partition("    engine:")[2].partition("\n\n")[0].splitlines()
    example = "engine:\n" + "\n".join(line[4:] for line in lines[1:])
    (place / "mine.yaml").write_text(example)
    assert settings(place, config="mine.yaml").job_options == settings(place).job_options
    assert settings(place, config="mine.yaml").engine_options["limits"] == Limits()
