"""Manifests, sources and runs for tests of migrations; time that passes only when waited for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from standin import StandIn

from ldimport.migration import Migration, StateStore, SubmitOptions, Wishes, open_source
from ldimport.migration.account import Clock
from ldimport.migration.batch import Envelope, Outgoing
from ldimport.migration.events import Event, Planned, Summary
from ldimport.migration.source import Source
from ldimport.migration.store.packing import pack
from ldimport.model import Image, JobOptions
from ldimport.schema import config
from ldimport.wire import options_to_json


@dataclass
class Time:
    """A clock without waiting: ``waits`` are the pauses that were asked for."""

    at: float = 1_000.0
    waits: list[float] = field(default_factory=list)

    def now(self) -> float:
        return 1_800_000_000.0 + self.at

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.at += max(seconds, 0.001)

    @property
    def clock(self) -> Clock:
        return Clock(self.now, self.monotonic, self.sleep)


def manifest(folder: Path, rows: int, name: str = "archive.csv", caption: str = "c") -> Path:
    path = folder / name
    lines = [f"id{n},https://img.example/{n}.jpg,Image {n},{caption}" for n in range(1, rows + 1)]
    path.write_text("id,url,fileName,metadata.caption\n" + "\n".join(lines) + "\n")
    return path


def source(path: Path, name: str | None = "archive", **wishes: Any) -> Source:
    wanted = Wishes(system_name=name, **wishes)
    return open_source([path], config.default(), wanted, JobOptions(), local=True)


def submit(
    state: StateStore,
    target: StandIn,
    path: Path,
    *,
    name: str | None = "archive",
    time: Time | None = None,
    **options: Any,
) -> list[Event]:
    """All events of one submit of ``path``."""
    opened = source(path, name)
    with opened.manifest:
        migration = Migration(state, target, (time or Time()).clock)
        return list(migration.submit(opened, SubmitOptions(**options)))


def left_open(state: StateStore, target: StandIn, path: Path, **options: Any) -> list[Event]:
    """Submit, and leave before any job has ended; who looks next finds them ended."""
    target.looks = 1_000_000
    events = submit(state, target, path, wait=False, **options)
    target.looks = 1
    return events


def summary(events: list[Event]) -> Summary:
    last = events[-1]
    assert isinstance(last, Summary)
    return last


def planned(events: list[Event]) -> Planned:
    return next(event for event in events if isinstance(event, Planned))


def many_open(
    state: StateStore, jobs: int, target: StandIn, images: int = 1, webhook: str | None = None
) -> None:
    """So many jobs under way at ``target``, as many nights with ``--no-wait`` leave them."""
    archive = state.archive(target.identity, target.label, "archive")
    columns = (
        "scope, key, job_id, state, manifest, manifest_path, options, packed, images, first_row,"
        " last_row, recorded_at, submitted_at"
    )
    connection, options = state._connection, options_to_json(JobOptions())
    connection.execute("BEGIN")
    for n in range(1, jobs + 1):
        sent = [Image(f"id{n}-{k}", f"https://img.example/{n}-{k}.jpg", f"Image {n}-{k}", {})
                for k in range(images)]  # fmt: skip
        outgoing = tuple(Outgoing.of(each, n) for each in sent)
        packed = pack(Envelope("archive", webhook), outgoing)
        row = (archive, f"key{n}", f"job{n}", "started", "a.csv", "/a.csv", options, packed,
               images, n, n, 1_700_000_000.0, 1_700_000_000.0)  # fmt: skip
        marks = ", ".join("?" * len(row))
        batch = connection.execute(f"INSERT INTO batch ({columns}) VALUES ({marks})", row).lastrowid
        connection.executemany(
            "INSERT INTO image (scope, external_id, open_batch, pending, row, source_url)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            [(archive, e.image.id, batch, e.fingerprint, n, e.image.url) for e in outgoing],
        )
        target.jobs[f"job{n}"] = Envelope("archive").request(outgoing)
    connection.execute("UPDATE scope SET pending = ? WHERE id = ?", (jobs * images, archive))
    connection.execute("COMMIT")
