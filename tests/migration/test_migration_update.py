"""``--update``: what a target skips although it changed is changed through its media library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from archives import Time, planned, source, submit, summary
from standin import StandIn, arrived, refused

from ldimport.errors import (
    AuthError,
    ConflictError,
    ExitCode,
    InvalidRequestError,
    LdimportError,
    TemporaryError,
)
from ldimport.migration import Migration, RetryOptions, StateStore, SubmitOptions
from ldimport.migration.events import Event, Patched
from ldimport.migration.model import Updates
from ldimport.model import (
    Asset,
    Image,
    ImportRequest,
    JobOptions,
    JobState,
    JobStatus,
    Json,
    Notice,
    Result,
    Status,
)


@dataclass
class Frozen(StandIn):
    """Never updates by an import, as Livingdocs' documentation can be read: what it has it skips.
    Its library takes a PATCH, but for what stands in ``raises``, by external id."""

    entries: dict[str, dict[str, Json]] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    raises: dict[str, list[LdimportError]] = field(default_factory=dict)
    sent: dict[str, Image] = field(default_factory=dict)
    patched: list[tuple[str, dict[str, Json]]] = field(default_factory=list)
    tried: int = 0
    fails: set[str] = field(default_factory=set)

    def submit(self, request: ImportRequest, key: str, options: JobOptions) -> str:
        self.sent |= {each.id: each for each in request.images}
        return super().submit(request, key, options)

    def status(self, job_id: str) -> JobStatus:
        told = super().status(job_id)
        if told.state is not JobState.SUCCESS:
            return told
        return replace(told, results=tuple(self._one(each.external_id) for each in told.results))

    def _one(self, id_: str) -> Result:
        if id_ in self.fails:
            return refused(id_, "origin answered 503")
        if id_ in self.entries:
            return arrived(id_, Status.SKIPPED)
        image = self.sent[id_]
        self.entries[id_] = {"title": image.file_name, **image.metadata}
        self.versions[id_] = 1
        return arrived(id_)

    def find(self, system_name: str, external_id: str) -> Asset | None:
        asset, has = arrived(external_id).asset, self.entries.get(external_id)
        assert asset is not None
        if has is None:
            return None
        return replace(asset, metadata=dict(has), version=self.versions[external_id])

    def patch(
        self, media_id: str, properties: Mapping[str, Json], version: int | None = None
    ) -> None:
        self.tried += 1
        id_ = media_id.removeprefix("m-")
        if errors := self.raises.get(id_, []):
            raise errors.pop(0)
        if version != self.versions[id_]:
            raise ConflictError(f"Version: Expected {version}")
        self.versions[id_] += 1
        self.patched.append((id_, dict(properties)))
        self.entries[id_] |= properties
        self.entries[id_] = {k: v for k, v in self.entries[id_].items() if v is not None}


ROWS = ["id1,https://i.example/1.jpg,One,c1,Ann", "id2,https://i.example/2.jpg,Two,c2,Bob"]


def rows(folder: Path, *lines: str) -> Path:
    path = folder / "archive.csv"
    head = "id,url,fileName,metadata.caption,metadata.source"
    path.write_text("\n".join([head, *lines, ""]))
    return path


def updated(events: list[Event]) -> Updates | None:
    return summary(events).updated


def test_changed_metadata_is_patched_and_nothing_is_sent_after_it(
    state: StateStore, tmp_path: Path
) -> None:
    target = Frozen()
    submit(state, target, rows(tmp_path, *ROWS))
    path = rows(tmp_path, ROWS[0].replace("c1", "new"), ROWS[1].replace(",Bob", ","))
    events = submit(state, target, path, update=True)
    end = summary(events)
    assert target.patched == [("id1", {"caption": "new"}), ("id2", {"source": None})]
    assert (end.exit_code, end.totals.success, end.totals.not_taken_over) == (ExitCode.OK, 2, 0)
    assert end.updated == Updates(patched=2)
    assert [(e.external_id, e.properties) for e in events if isinstance(e, Patched)] == [
        ("id1", ("caption",)), ("id2", ("source",))]  # fmt: skip
    posts = len(target.requests)
    again = planned(submit(state, target, path, update=True)).plan
    assert (again.to_send, again.unchanged, len(target.requests)) == (0, 2, posts)
    assert state.overview().totals.rows == 2


def test_without_the_option_nothing_is_patched(state: StateStore, tmp_path: Path) -> None:
    target = Frozen()
    submit(state, target, rows(tmp_path, *ROWS))
    path = rows(tmp_path, ROWS[0].replace("c1", "new"), ROWS[1])
    end = summary(submit(state, target, path))
    assert (end.totals.not_taken_over, end.updated, target.tried) == (1, None, 0)
    end = summary(submit(state, target, path, update=True))
    assert (end.totals.not_taken_over, target.patched) == (0, [("id1", {"caption": "new"})])


def test_a_new_name_of_the_file_is_a_new_title(state: StateStore, tmp_path: Path) -> None:
    target = Frozen()
    submit(state, target, rows(tmp_path, *ROWS))
    path = rows(tmp_path, ROWS[0].replace("One", "Uno"), ROWS[1])
    assert updated(submit(state, target, path, update=True)) == Updates(patched=1)
    assert target.patched == [("id1", {"title": "Uno"})]


def test_what_editors_changed_meanwhile_is_left_alone(state: StateStore, tmp_path: Path) -> None:
    target = Frozen()
    submit(state, target, rows(tmp_path, *ROWS))
    target.entries["id1"] |= {"title": "by hand", "description": "Bern"}
    path = rows(tmp_path, ROWS[0].replace("One", "Uno").replace("c1", "new"), ROWS[1])
    submit(state, target, path, update=True)
    assert target.patched == [("id1", {"caption": "new"})]


@pytest.mark.parametrize("before", [False, True])
def test_another_url_cannot_be_patched(state: StateStore, tmp_path: Path, before: bool) -> None:
    target = Frozen()
    submit(state, target, rows(tmp_path, *ROWS))
    path = rows(tmp_path, ROWS[0].replace("/1.jpg", "/one.jpg").replace("c1", "new"), ROWS[1])
    if before:
        submit(state, target, path)
    end = summary(submit(state, target, path, update=True))
    assert (end.updated, target.tried) == (Updates(impossible=1), 0)
    assert (end.totals.not_taken_over, end.exit_code) == (1, ExitCode.OK)
    assert planned(submit(state, target, path)).plan.changed == 1, "it stays changed"


def test_a_conflict_is_read_again_once_and_then_told(state: StateStore, tmp_path: Path) -> None:
    target = Frozen()
    submit(state, target, rows(tmp_path, *ROWS))
    target.raises = {"id1": [ConflictError("Version: Expected 1 to be equal to 2")],
                     "id2": [ConflictError("Version"), ConflictError("Version")]}  # fmt: skip
    path = rows(tmp_path, *(row.replace(",c", ",new") for row in ROWS))
    events = submit(state, target, path, update=True)
    assert updated(events) == Updates(patched=1, refused=1)
    assert [each.text for each in events if isinstance(each, Notice)
            and each.code == "not-updated"] == ["id2 could not be updated: Version"]  # fmt: skip
    assert summary(events).totals.not_taken_over == 1


def test_a_token_that_may_not_patch_is_told_once(state: StateStore, tmp_path: Path) -> None:
    target = Frozen()
    submit(state, target, rows(tmp_path, *ROWS))
    target.raises = {"id1": [AuthError("the token lacks public-api:write (403)")]}
    path = rows(tmp_path, *(row.replace(",c", ",new") for row in ROWS))
    events = submit(state, target, path, update=True, batch_size=1)
    end = summary(events)
    assert (end.updated, target.tried) == (Updates(refused=2), 1)
    assert (end.exit_code, end.totals.not_taken_over) == (ExitCode.OK, 2)
    (told,) = [e for e in events if isinstance(e, Notice) and e.code == "not-updated"]
    assert "public-api:write" in told.text


def test_a_value_that_is_refused_costs_that_entry_alone(state: StateStore, tmp_path: Path) -> None:
    target = Frozen()
    submit(state, target, rows(tmp_path, *ROWS))
    target.raises = {"id1": [InvalidRequestError({"patches.0.value": "is too long"})]}
    path = rows(tmp_path, *(row.replace(",c", ",new") for row in ROWS))
    assert updated(submit(state, target, path, update=True)) == Updates(patched=1, refused=1)


def test_a_run_that_stops_among_patches_goes_on_where_it_stopped(
    state: StateStore, tmp_path: Path
) -> None:
    """Nothing is recorded before all of a job is done; what was patched is seen to be there."""
    target = Frozen()
    submit(state, target, rows(tmp_path, *ROWS))
    target.raises = {"id2": [TemporaryError("connection refused", code="unreachable")]}
    path = rows(tmp_path, *(row.replace(",c", ",new") for row in ROWS))
    end = summary(submit(state, target, path, update=True))
    assert (end.exit_code, end.totals.pending) == (ExitCode.TEMPORARY, 2)
    end = summary(submit(state, target, path, update=True))
    assert (end.exit_code, end.totals.success, end.totals.rows) == (ExitCode.OK, 2, 2)
    assert target.patched == [("id1", {"caption": "new1"}), ("id2", {"caption": "new2"})]


def test_retry_updates_too(state: StateStore, tmp_path: Path) -> None:
    target = Frozen()
    submit(state, target, rows(tmp_path, *ROWS))
    target.fails = {"id1"}
    submit(state, target, rows(tmp_path, ROWS[0].replace("c1", "new"), ROWS[1]))
    target.fails = set()
    migration = Migration(state, target, Time().clock)
    end = summary(list(migration.retry(RetryOptions(update=True))))
    assert (end.updated, end.totals.success) == (Updates(patched=1), 1)
    assert target.patched == [("id1", {"caption": "new"})]


def test_patches_keep_to_the_pace(state: StateStore, tmp_path: Path) -> None:
    time = Time()
    target = Frozen(local=False, requests_per_second=5)
    lines = [f"id{n},https://i.example/{n}.jpg,Name {n},c,Ann" for n in range(30)]
    submit(state, target, rows(tmp_path, *lines), time=time)
    before = time.at
    path = rows(tmp_path, *(line.replace(",c,", ",new,") for line in lines))
    opened = source(path)
    with opened.manifest:
        migration = Migration(state, target, time.clock)
        end = summary(list(migration.submit(opened, SubmitOptions(update=True))))
    assert end.updated == Updates(patched=30)
    assert time.at - before >= 60 / 5, "a look and a PATCH each"
