"""One migration, the same everywhere: on the embedded engine, on a running ``ldimport serve`` and
on a stand-in for Livingdocs in each of its dialects, state and results are identical."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from command_line import Origin
from places import Embedded, Livingdocs, Place, Served

from ldimport.migration import (
    Migration,
    RetryOptions,
    StateStore,
    SubmitOptions,
    Wishes,
    open_source,
    tracker,
)
from ldimport.migration.events import Event, Summary
from ldimport.model import JobOptions, JobState
from ldimport.schema.config import from_json
from ldimport.targets.base import Target

BROKEN = {
    "missing.jpg": "origin answered 404",
    "page.jpg": "not an image: the file begins like HTML",
}
CAUSES = {"missing.jpg": "origin-404", "page.jpg": "not-an-image"}
PLACES = ["embedded", "serve v1", "serve 2026-07",
          "livingdocs seed", "livingdocs 2025-03", "livingdocs 2026-08"]  # fmt: skip


@pytest.fixture(params=PLACES)
def place(
    request: pytest.FixtureRequest, tmp_path: Path, origin: Origin,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Place]:  # fmt: skip
    monkeypatch.setattr(tracker, "FIRST_PAUSE", 0.05)
    kind, _, variant = request.param.partition(" ")
    with ExitStack() as stack:
        if kind == "embedded":
            yield Embedded(tmp_path)
        elif kind == "serve":
            yield Served(tmp_path, variant, origin.host)
        else:
            yield stack.enter_context(Livingdocs(variant, BROKEN).running())


class Archive:
    """A manifest that is edited on the way, and the state file of its migration."""

    def __init__(self, folder: Path, origin: Origin) -> None:
        self.path = folder / "archive.csv"
        self.state = folder / "state.sqlite"
        self.host = origin.host
        names = [*(f"{n}.jpg" for n in range(1, 9)), *BROKEN]
        self.rows = [[f"id-{n}", origin.url(name), f"Photo {n}", "a caption"]
                     for n, name in enumerate(names, 1)]  # fmt: skip

    def add(self, *urls: str) -> None:
        for url in urls:
            n = len(self.rows) + 1
            self.rows.append([f"id-{n}", url, f"Photo {n}", "a caption"])

    def submit(self, target: Target, *, wait: bool = True, state: Path | None = None) -> Summary:
        lines = ["id,url,fileName,metadata.caption", *(",".join(row) for row in self.rows)]
        self.path.write_text("\n".join(lines) + "\n")
        config = from_json(target.project_config())
        source = open_source(
            [self.path],
            config,
            Wishes(system_name="archiv"),
            JobOptions(allow_hosts=(self.host,)),
            local=target.local,
        )
        with source.manifest, StateStore.open(state or self.state, write=True) as opened:
            return last(
                Migration(opened, target).submit(source, SubmitOptions(batch_size=4, wait=wait))
            )

    def watch(self, target: Target) -> Summary:
        with StateStore.open(self.state, write=True) as opened:
            return last(Migration(opened, target).watch())

    def retry(self, target: Target) -> Summary:
        with StateStore.open(self.state, write=True) as opened:
            return last(Migration(opened, target).retry(RetryOptions(everything=True)))


def last(events: Iterator[Event]) -> Summary:
    end = list(events)[-1]
    assert isinstance(end, Summary)
    return end


def told(end: Summary) -> str:
    """A run in a line: exit code, what was planned, what came of it."""
    sums = {name: n for name, n in asdict(end.totals).items() if n}
    plan = end.plan
    planned = {} if plan is None else {"new": plan.new, "changed": plan.changed}
    words = [f"{name} {n}" for name, n in {**planned, **sums}.items()]
    return f"{end.exit_code.name}: {', '.join(words)}"


def outcomes(state: Path) -> list[dict[str, Any]]:
    """What the state file says of every image, but for the names that a target makes up: media
    ids are numbered in their order, addresses lose their host and id."""
    media: dict[str | None, str | None] = {None: None}
    found = []
    with StateStore.open(state, write=False) as opened:
        for row in opened.results():
            each = row._asdict()
            del each["job_id"], each["target"]
            each["media_id"] = media.setdefault(row.media_id, f"m{len(media)}")
            assert (row.url or "") == (row.original_url or "") + ("?format=auto" if row.url else "")
            for name in ("url", "original_url"):
                each[name] = bool(each[name])
            each["source_url"] = re.sub(r"127.0.0.1:\d+", "origin", each["source_url"])
            found.append(each)
    return found


def expected(n: int, name: str, **changed: Any) -> dict[str, Any]:
    arrived = {
        "external_id": f"id-{n}", "system_name": "archiv", "status": "success", "reason": None,
        "cause": None, "retryable": False, "media_id": f"m{n}", "url": True, "original_url": True,
        "width": 64, "height": 48, "mime_type": "image/jpeg", "title": f"Photo {n}",
        "file_name": f"Photo {n}", "source_url": f"http://origin/{name}", "row": n, "attempts": 1,
        "not_taken_over": False, "tries": 0, "waived_because": None, "gave_up": False, "size": None,
    }  # fmt: skip
    return {**arrived, **changed}


NO_ASSET = {"status": "failed", "media_id": None, "url": False, "original_url": False,
            "width": None, "height": None, "mime_type": None}  # fmt: skip


def test_one_migration_is_the_same_everywhere(place: Place, tmp_path: Path, origin: Origin) -> None:
    origin.files["page.jpg"] = b"<!doctype html><title>Not found</title>"
    archive = Archive(tmp_path, origin)

    with place.open(limit=6) as target:
        assert told(archive.submit(target)) == "QUOTA: new 10, changed 0, success 6, unsubmitted 4"
        again = archive.submit(target)
        assert told(again) == "QUOTA: new 4, changed 0, success 6, unsubmitted 4"
        assert again.jobs == ()
    with place.open() as target:
        end = archive.submit(target)
        assert told(end) == "FAILURES: new 4, changed 0, success 8, failed 2"
        assert sorted(row.cause for row in end.causes) == sorted(CAUSES.values())
        before = outcomes(archive.state)
        twice = archive.submit(target)
        assert told(twice) == "FAILURES: new 0, changed 0, success 8, failed 2"
        assert (twice.jobs, outcomes(archive.state)) == ((), before)
        archive.rows[1][2], archive.rows[2][3] = "Renamed", "another caption"
        assert told(archive.submit(target)) == "FAILURES: new 0, changed 2, success 8, failed 2"
    place.keep()
    archive.add(origin.url("11.jpg"), origin.url("12.jpg"))
    with place.open(works=False) as target:
        left = archive.submit(target, wait=False)
        assert told(left) == "FAILURES: new 2, changed 0, success 8, failed 2, pending 2"
    place.restore()
    with place.open() as target:
        lost = archive.watch(target)
        assert told(lost) == "OK: success 2", "the library has not got them: they are sent again"
        assert [job.state for job in lost.jobs] == [JobState.SUCCESS, JobState.LOST]
        assert told(archive.submit(target)) == "FAILURES: new 0, changed 0, success 10, failed 2"
        end = archive.retry(target)
        assert told(end) == "FAILURES: failed 2"
        # a state file that was lost costs nothing but time
        fresh = tmp_path / "fresh.sqlite"
        end = archive.submit(target, state=fresh)
        assert told(end) == "FAILURES: new 12, changed 0, skipped 10, failed 2"

    found = outcomes(archive.state)
    assert found == [
        expected(1, "1.jpg"),
        expected(2, "2.jpg", title="Renamed", file_name="Renamed", attempts=2),
        expected(3, "3.jpg", attempts=2),
        *(expected(n, f"{n}.jpg") for n in range(4, 9)),
        *(
            expected(
                9 + n, name, **NO_ASSET, reason=reason, cause=CAUSES[name], attempts=2, tries=2
            )
            for n, (name, reason) in enumerate(BROKEN.items())
        ),
        expected(11, "11.jpg", media_id="m9", attempts=2),
        expected(12, "12.jpg", media_id="m10", attempts=2),
    ]
    skipped = [each for each in outcomes(fresh) if each["status"] == "skipped"]
    assert {each["reason"] for each in skipped} == {"already exists"}
    assert [each["media_id"] for each in skipped] == [f"m{n}" for n in range(1, 11)]
