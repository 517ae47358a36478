"""What decides how a manifest is sent: names, options, config, and its local files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from standin import StandIn

from ldimport.errors import AuthError, ConfigError, LdimportError, UsageError
from ldimport.migration import Wishes, open_source, open_target
from ldimport.migration.batch import Outgoing
from ldimport.migration.open import json_schema, project_config, read_options
from ldimport.migration.source import DEFAULT_SYSTEM_NAME, Source
from ldimport.migration.validate import validate
from ldimport.model import JobOptions, Severity
from ldimport.schema import config
from ldimport.targets.livingdocs import LivingdocsTarget

ROW = {"id": "a", "url": "https://a.b/c.jpg", "fileName": "A"}


def opened(
    path: Path, *, local: bool = True, options: JobOptions | None = None, **wishes: Any
) -> Source:
    return open_source(
        [path], config.default(), Wishes(**wishes), options or JobOptions(), local=local
    )


def written(folder: Path, **header: Any) -> Path:
    path = folder / "archive.json"
    path.write_text(json.dumps({**header, "images": [ROW]}))
    return path


# -- systemName ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "own", "fallback", "name"),
    [
        ("option", None, None, "option"),
        ("option", "option", "config", "option"),
        ("option", None, "config", "option"),
        (None, "own", "config", "own"),
        (None, None, "config", "config"),
    ],
)
def test_the_nearest_name_counts(
    tmp_path: Path, option: str | None, own: str | None, fallback: str | None, name: str
) -> None:
    path = written(tmp_path, **({"systemName": own} if own else {}))
    with closing(opened(path, system_name=option, fallback_name=fallback).manifest) as manifest:
        assert manifest
        source = opened(path, system_name=option, fallback_name=fallback)
        source.manifest.close()
    assert (source.envelope.system_name, source.name_is_default) == (name, False)


def test_an_archive_without_a_name_has_one_on_the_local_engine_only(tmp_path: Path) -> None:
    path = written(tmp_path)
    source = opened(path)
    source.manifest.close()
    assert (source.envelope.system_name, source.name_is_default) == (DEFAULT_SYSTEM_NAME, True)
    with pytest.raises(UsageError, match="no systemName") as caught:
        opened(path, local=False)
    assert caught.value.hint is not None and "--system-name NAME" in caught.value.hint


def test_two_names_are_not_chosen_between(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"“mine”.*“theirs”"):
        opened(written(tmp_path, systemName="theirs"), system_name="mine")


@pytest.mark.parametrize(
    ("wishes", "kind"),
    [
        ({"system_name": " mine"}, UsageError),
        ({"system_name": "mi\u200bne"}, UsageError),
        ({"fallback_name": "mine "}, ConfigError),
    ],
)
def test_a_name_that_would_be_regretted_is_refused(
    tmp_path: Path, wishes: dict[str, str], kind: type[LdimportError]
) -> None:
    with pytest.raises(kind, match="systemName") as caught:
        opened(written(tmp_path), **wishes)
    assert type(caught.value) is kind


# -- what goes with the request ------------------------------------------------------------


def test_options_go_before_the_header_of_a_manifest(tmp_path: Path) -> None:
    header = {"webhook": "https://a.b/theirs", "context": {"their": 1}}
    path = written(tmp_path, **header)
    for wishes, expected in (
        ({}, ("https://a.b/theirs", {"their": 1})),
        ({"webhook": "https://a.b/mine"}, ("https://a.b/mine", {"their": 1})),
        ({"context": {}}, ("https://a.b/theirs", {})),
    ):
        source = opened(path, **wishes)
        source.manifest.close()
        assert (source.envelope.webhook, source.envelope.context) == expected


def test_relative_urls_are_files_on_the_local_engine_alone(tmp_path: Path) -> None:
    path = written(tmp_path)
    local, away, based = (
        opened(path),
        opened(path, local=False, system_name="a"),
        opened(path, base_url="https://a.b/"),
    )
    for source in (local, away, based):
        source.manifest.close()
    assert (local.folder, local.options.allow_files) == (tmp_path.resolve(), (str(tmp_path),))
    assert (away.folder, away.options.allow_files) == (None, ())
    assert (based.folder, based.options.allow_files) == (None, ())


def test_other_job_options_are_kept(tmp_path: Path) -> None:
    source = opened(written(tmp_path), options=JobOptions(("10.0.0.1",)), lenient=True)
    source.manifest.close()
    assert (source.options.allow_hosts, source.options.lenient) == (("10.0.0.1",), True)


def outgoing(folder: Path) -> Outgoing:
    path = folder / "files.json"
    path.write_text(json.dumps({"images": [{**ROW, "url": "photo.jpg"}]}))
    source = opened(path)
    with source.manifest:
        (checked,) = map(source.checker().check, source.manifest.entries())
        return source.outgoing(checked)


def test_a_local_file_that_changes_changes_its_row(tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"one")
    os.utime(photo, ns=(1, 1_000))
    first = outgoing(tmp_path)
    assert outgoing(tmp_path) == first
    os.utime(photo, ns=(1, 2_000))
    touched = outgoing(tmp_path)
    photo.write_bytes(b"longer")
    os.utime(photo, ns=(1, 2_000))
    longer = outgoing(tmp_path)
    photo.unlink()
    seen = [first, touched, longer]
    assert len({each.fingerprint for each in seen}) == 3
    assert len({each.content for each in seen}) == 1, "the entry says the same"
    assert {each.body for each in seen} == {first.body}


# -- from settings -------------------------------------------------------------------------


@pytest.mark.parametrize("text", [";;", "", '"', "\n"])
def test_a_delimiter_is_one_character(text: str) -> None:
    with pytest.raises(UsageError, match="--delimiter"):
        read_options({}, delimiter=text)


@pytest.mark.parametrize("text", ["tab", "\\t", "\t"])
def test_a_tab_has_a_word(text: str) -> None:
    assert read_options({}, delimiter=text).delimiter == "\t"


def test_the_project_config_is_the_file_else_the_targets_else_the_default(tmp_path: Path) -> None:
    class Asked(StandIn):
        def project_config(self) -> Any:
            return json.loads(Path("samples/project-config.json").read_text())

    file = tmp_path / "config.json"
    file.write_text(Path("samples/project-config.json").read_text())
    theirs = project_config(None, Asked(local=False))
    assert project_config(file, StandIn()).media_types.keys() == theirs.media_types.keys()
    default = config.default().media_types.keys()
    assert project_config(None, Asked(local=True)).media_types.keys() == default
    assert project_config(None).media_types.keys() == default


def test_a_schema_is_for_a_media_type_that_exists() -> None:
    project = config.default()
    assert json_schema(project, None) == json_schema(project, project.default_media_type)
    with pytest.raises(UsageError, match="no media type “video”") as caught:
        json_schema(project, "video")
    assert project.default_media_type in str(caught.value.hint)


def test_a_server_needs_a_token(tmp_path: Path) -> None:
    with pytest.raises(AuthError, match=r"no token for https://server\.example"):
        open_target("https://server.example", engine=tmp_path)
    with closing(open_target("https://server.example/", engine=tmp_path, token="t")) as target:
        assert isinstance(target, LivingdocsTarget)
        assert (target.label, target.local) == ("server.example", False)


def test_the_embedded_engine_is_a_target_like_any_other(tmp_path: Path) -> None:
    with closing(open_target("embedded", engine=tmp_path / "engine")) as target:
        assert target.identity.startswith("embedded:")
        assert target.local


# -- findings ------------------------------------------------------------------------------


@pytest.fixture
def broken(tmp_path: Path) -> Iterator[Source]:
    """Three rows without a file name, and as many unknown properties as rows, 1,200 in all."""
    rows = [{**ROW, "id": str(n), "metadata": {f"unknown{n}": 1}} for n in range(1_200)]
    for row in rows[:3]:
        del row["fileName"], row["url"]
    path = tmp_path / "broken.json"
    path.write_text(json.dumps({"images": rows}))
    source = opened(path, system_name="a")
    with source.manifest:
        yield source


def test_findings_are_bounded_and_their_counts_are_whole(broken: Source) -> None:
    found = validate(broken.manifest, broken.checker(), max_problems=7)
    assert (found.entries, len(found.problems)) == (1_200, 7)
    assert sum(kind.rows for kind in found.kinds) >= 1_203
    assert len(found.kinds) <= 1_002
    assert found.valid == found.entries - found.invalid
    order = [(kind.severity is Severity.WARNING, -kind.rows) for kind in found.kinds]
    assert order == sorted(order), "errors first, the most frequent before"
    assert {rows for _, rows in order} != {-1}
    rest = next(kind for kind in found.kinds if kind.field == "other fields")
    assert rest.rows > 190


class Heard:
    """Hears of every row."""

    every_row = True

    def __init__(self) -> None:
        self.ids: list[str] = []

    def __call__(self, checked: Any) -> None:
        self.ids.append(checked.entry.id)


def test_every_row_is_heard_by_who_asks_for_it(broken: Source) -> None:
    every = Heard()
    validate(broken.manifest, broken.checker(), sink=every)
    assert every.ids == [str(n) for n in range(1_200)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("good.csv", "id,url,fileName\na,https://img.example/1.jpg,A\nb,https://img.example/2.jpg,B\nc,,C\n"),
        ("good.jsonl", "".join(
            json.dumps({"id": each, "url": url, "fileName": each}) + "\n"
            for each, url in {"a": "https://img.example/1.jpg", "b": "https://img.example/2.jpg",
                              "c": ""}.items()
        )),
    ],
)  # fmt: skip
def test_rows_that_nothing_is_found_about_count_too(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    source = opened(path, system_name="a")
    with source.manifest:
        found = validate(source.manifest, source.checker())
        every = Heard()
        assert validate(source.manifest, source.checker(), sink=every) == found
    assert (found.entries, found.valid, found.invalid) == (3, 2, 1)
    assert every.ids == ["a", "b", "c"]
