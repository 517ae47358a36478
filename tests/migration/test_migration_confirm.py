"""What a job leaves open is settled by the target's media library, not guessed and not sent for
ever: changed images whose first answer was lost, results that are missing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from archives import manifest, planned, submit, summary
from standin import StandIn, arrived, refused

from ldimport.errors import AuthError, ExitCode
from ldimport.migration import Migration, StateStore
from ldimport.model import (
    IMAGE_SERVICE,
    Asset,
    ImportRequest,
    JobOptions,
    JobState,
    JobStatus,
    Json,
    Result,
    Status,
)


@dataclass
class Library(StandIn):
    """A target whose entries carry metadata: it takes changes over as long as ``takes``, and skips
    what it has. The next ``lost`` jobs are not known when they are asked about."""

    takes: bool = True
    lost: int = 0
    service: str = "other"
    entries: dict[str, dict[str, Json]] = field(default_factory=dict)
    outcome: dict[str, tuple[Result, ...]] = field(default_factory=dict)
    looked_up: list[str] = field(default_factory=list)
    broken: Exception | None = None

    def submit(self, request: ImportRequest, key: str, options: JobOptions) -> str:
        job_id = super().submit(request, key, options)
        if job_id not in self.outcome:
            self.outcome[job_id] = tuple(
                self._one(each.id, each.metadata) for each in request.images
            )
        return job_id

    def _one(self, id_: str, metadata: object) -> Result:
        has, sent = self.entries.get(id_), dict(metadata)  # type: ignore[call-overload]
        taken = has is None or (self.takes and has != sent)
        if taken:
            self.entries[id_] = sent
        result = arrived(id_, Status.SUCCESS if taken else Status.SKIPPED)
        assert result.asset is not None
        return replace(result, asset=replace(result.asset, image_service=self.service))

    def status(self, job_id: str) -> JobStatus:
        if self.lost:
            self.lost -= 1
            return JobStatus(job_id, JobState.LOST)
        told = super().status(job_id)
        return replace(told, results=self.outcome[job_id]) if told.results else told

    def find(self, system_name: str, external_id: str) -> Asset | None:
        self.looked_up.append(external_id)
        if self.broken is not None:
            raise self.broken
        found = self.entries.get(external_id)
        asset = arrived(external_id).asset
        assert asset is not None
        return None if found is None else replace(asset, metadata=found)


def after_a_lost_change(
    state: StateStore, target: Library, folder: Path, rows: int = 2, **edit: str
) -> tuple[int, int, int]:
    """Images arrive, all are changed, the job of the change is lost, the same command comes again:
    how many that says are not taken over, what the next one would send, how many POSTs came."""
    path = manifest(folder, rows)
    submit(state, target, path)
    if edit:
        path.write_text(path.read_text().replace(edit["old"], edit["new"]))
    else:
        manifest(folder, rows, caption="edited")
    target.lost = 1
    told = ExitCode.REFUSED if target.broken else ExitCode.OK
    assert summary(submit(state, target, path)).exit_code == told
    again = summary(submit(state, target, path))
    assert again.totals.rows == rows
    plan = planned(submit(state, target, path)).plan
    return again.totals.not_taken_over, plan.to_send, len(target.requests)


def test_a_change_whose_job_is_lost_is_settled_by_the_library(
    state: StateStore, tmp_path: Path
) -> None:
    target = Library()
    assert after_a_lost_change(state, target, tmp_path) == (0, 0, 2)
    assert target.looked_up == ["id1", "id2"]
    assert [(row.status, row.media_id) for row in state.results()] == [
        (Status.SUCCESS, "m-id1"),
        (Status.SUCCESS, "m-id2"),
    ]


def test_what_our_own_engine_skips_it_has_as_sent(state: StateStore, tmp_path: Path) -> None:
    """Also where the library could not tell: it does not say from which url an image came."""
    target = Library(service=IMAGE_SERVICE)
    edit = {"old": "https://img.example", "new": "https://other.example"}
    assert after_a_lost_change(state, target, tmp_path, **edit) == (0, 0, 3)
    assert target.looked_up == ["id1", "id2"], "of the lost job alone"


@pytest.mark.parametrize(
    ("old", "new"),
    [("https://img.example", "https://other.example"), (",Image ", ",Renamed "), (",c\n", ",\n")],
)
def test_a_change_that_the_library_does_not_show_stays_a_change(
    state: StateStore, tmp_path: Path, old: str, new: str
) -> None:
    target = Library(takes=False)
    assert after_a_lost_change(state, target, tmp_path, old=old, new=new) == (2, 2, 5)


def test_a_library_without_the_changes_is_asked_a_few_times_only(
    state: StateStore, tmp_path: Path
) -> None:
    target = Library(takes=False)
    assert after_a_lost_change(state, target, tmp_path, rows=50)[:2] == (50, 50)
    assert len(target.looked_up) == 29, "20 of the lost job, three in each of three others"


def test_without_access_to_the_library_nothing_is_claimed_and_nothing_stops(
    state: StateStore, tmp_path: Path
) -> None:
    target = Library(broken=AuthError("the token lacks public-api:read"))
    assert after_a_lost_change(state, target, tmp_path)[:2] == (2, 2)


# -- fewer results than images ----------------------------------------------------------------


@dataclass
class Short(Library):
    """A library that tells the last result of a job only at the ``whole``-th question."""

    whole: int = 1_000

    def status(self, job_id: str) -> JobStatus:
        told = super().status(job_id)
        few = self.asked.get(job_id, 0) < self.whole
        return replace(told, results=told.results[:-1]) if few else told


def test_a_job_with_too_few_results_is_asked_again(state: StateStore, tmp_path: Path) -> None:
    target = Short(whole=3)
    end = summary(submit(state, target, manifest(tmp_path, 3)))
    assert (end.totals.success, end.totals.failed) == (3, 0)
    assert (target.asked, target.looked_up) == ({"job1": 3}, [])


def test_a_missing_result_is_looked_up_in_the_library(state: StateStore, tmp_path: Path) -> None:
    target = Short()
    end = summary(submit(state, target, manifest(tmp_path, 3)))
    assert (end.totals.success, end.totals.failed, target.asked) == (3, 0, {"job1": 3})
    assert target.looked_up == ["id3"]
    assert [row.media_id for row in state.results()] == ["m-id1", "m-id2", "m-id3"]


def test_an_image_that_is_nowhere_fails_for_now(state: StateStore, tmp_path: Path) -> None:
    target = Short()
    target.find = lambda *_: None  # type: ignore[method-assign]
    end = summary(submit(state, target, manifest(tmp_path, 3)))
    (cause,) = end.causes
    assert (cause.cause, cause.images, cause.retryable) == ("no-result", 1, True)
    target.whole = 0
    assert summary(list(Migration(state, target).retry())).exit_code == ExitCode.OK


def test_status_of_a_job_stores_no_end_that_leaves_something_open(
    state: StateStore, tmp_path: Path
) -> None:
    target = Short()
    submit(state, target, manifest(tmp_path, 2), wait=False)
    target.asked.clear()
    told = Migration(state, target).refresh("job1")
    assert told is not None and len(told.results) == 1
    assert state.job_status("job1").state is JobState.STARTED


def test_a_failure_is_nothing_to_look_up(state: StateStore, tmp_path: Path) -> None:
    target = Library()
    target._one = lambda id_, metadata: refused(id_)  # type: ignore[method-assign]
    end = summary(submit(state, target, manifest(tmp_path, 2)))
    assert (end.totals.failed, target.looked_up) == (2, [])
