"""Manifests, sources and runs for tests of migrations; time that passes only when waited for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from standin import StandIn

from ldimport.migration import Migration, StateStore, SubmitOptions, Wishes, open_source
from ldimport.migration.account import Clock
from ldimport.migration.events import Event, Planned, Summary
from ldimport.migration.source import Source
from ldimport.model import JobOptions
from ldimport.schema import config


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
