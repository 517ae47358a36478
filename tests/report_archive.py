"""A state file of an archive of which everything is decided here, for reports on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ldimport.migration import StateStore
from ldimport.migration.batch import Envelope, Origin, Outgoing, Parcel
from ldimport.model import Asset, Image, JobOptions, JobState, JobStatus, Result, Status

TARGET = "https://cms.example/api"


@dataclass(frozen=True)
class Told:
    """An image, and what became of it; no status: it is under way."""

    id: str
    url: str = "https://img.example/a.jpg"
    status: Status | None = Status.SUCCESS
    title: str = "A picture"
    cause: str | None = None
    reason: str | None = None
    size: tuple[int, int] | None = (1_200, 800)
    stored: str = "https://new.example/i/{}"


def record(
    path: Path,
    images: Sequence[Told],
    *,
    name: str = "archiv",
    target: str = TARGET,
    at: float = 1_790_000_000.0,
    manifest: str = "/gone/a.csv",
) -> None:
    """Enter them as one batch, sent at this time and ended a minute later."""
    with StateStore.open(path, write=True) as store:
        archive = store.archive(target, "cms.example", name)
        assert archive is not None
        every = tuple(
            Outgoing.of(Image(each.id, each.url, each.title, {}), n)
            for n, each in enumerate(images, 1)
        )
        origin = Origin(Path(manifest).name, manifest)
        chosen: dict[str, list[int]] = {"done": [], "open": []}
        for n, each in enumerate(images):
            chosen["done" if each.status else "open"].append(n)
        for key, numbers in chosen.items():
            if not numbers:
                continue
            job = f"job-{key}-{name}-{at:.0f}"
            mine = tuple(every[n] for n in numbers)
            parcel = Parcel(archive, Envelope(name), JobOptions(), origin, mine)
            batch = store.accept(store.record_intent(parcel, job, at), job, at + 1)
            if key == "done":
                results = tuple(_result(images[n], n) for n in numbers)
                store.settle(batch, JobStatus(job, JobState.SUCCESS, None, results), at + 60)


def _result(of: Told, n: int) -> Result:
    assert of.status is not None
    asset = None
    if of.status is not Status.FAILED:
        width, height = of.size or (None, None)
        place = of.stored.format(n)
        asset = Asset(f"m{n}", place, place, width, height, "image/jpeg")
    return Result(of.id, of.status, of.title, of.reason, asset, cause=of.cause,
                  retryable=of.cause == "origin-503" if of.cause else None)  # fmt: skip
