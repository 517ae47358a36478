"""What the state file says of a whole archive, for the report: read in as few passes as possible,
in memory that does not grow with the archive."""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from ldimport.database import statements
from ldimport.database_rows import made, made_each, steps_of, values_checked
from ldimport.migration.model import Totals
from ldimport.migration.proof import Proof
from ldimport.migration.store.schema import KIND
from ldimport.migration.store.verifying import Verifying
from ldimport.model import Status
from ldimport.url import host_of

if TYPE_CHECKING:  # one command needs it, and all of them open a state file
    from ldimport.migration import report

SQL = statements(__package__, "report.sql")


@values_checked(KIND)
class Surveying(Verifying):
    """Sums over all images, jobs and looks of an archive."""

    @contextmanager
    def one_moment(self) -> Iterator[None]:
        """All that is asked inside is of the same moment, whatever a run writes meanwhile."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("COMMIT")

    def image_sums(self, archive: int) -> report.ImageSums:
        """All images by outcome, origin, longer side and type."""
        from ldimport.migration import report

        asked = {"archive": archive, "step": report.SIDES[0]}
        found = self._connection.execute(SQL["images"], asked)
        sums = _Groups()
        for place, group in groupby(made_each(report.ImageGroup, found), attrgetter("place")):
            sums.add(place, group)
        return sums.whole()

    def course(self, archive: int) -> report.Course:
        """When jobs were sent and ended, and with what."""
        from ldimport.migration import report

        row = self._connection.execute(SQL["course"], (archive,)).fetchone()
        counts = {name: int(row[name]) for name in ("lost", "failed", "refused")}
        start, end = row["first_end"], row["last_end"]
        course = made(report.Course, row, ends=(), each=report.HOUR, since=start or 0.0, **counts)
        if start is None:
            return course
        each = report.width_of(end - start)
        asked = {"archive": archive, "each": each, "since": (since := start // each * each)}
        ends = tuple(self._each(report.Ends, SQL["ends"], asked))
        return replace(course, each=each, since=since, ends=ends)

    def manifests(self, archive: int) -> list[report.SentManifest]:
        """The manifests that its images came from, the first one first; 100 at most."""
        from ldimport.migration import report

        rows = self._connection.execute(SQL["manifests"], (archive,))
        return [made(report.SentManifest, row, digests=()) for row in rows]

    def looks(self, archive: int) -> report.Looks | None:
        """What the last verification found; None: there was none."""
        from ldimport.migration import report

        if (begun := self.begun(archive)) is None:
            return None
        rows = self._connection.execute(SQL["looks"], (archive, begun.round)).fetchall()
        sums = {Proof(row["outcome"]).value: int(row["images"]) for row in rows}
        counts = {each.value: sums.get(each.value, 0) for each in Proof}
        times = [time for row in rows for time in (row["first_at"], row["last_at"])]
        first, last = (min(times), max(times)) if times else (None, None)
        return report.Looks(begun, **counts, first_at=first, last_at=last)

    def looked_sizes(self, archive: int, bounds: Sequence[int]) -> Mapping[int, int]:
        """File sizes that looks at the library told, by how many of the ``bounds`` they reach."""
        query = SQL["sizes"].format(step=steps_of("size", bounds))
        return {row[0]: row[1] for row in self._connection.execute(query, (archive,))}

    def even_sample(self, archive: int, status: Status, of: int, most: int) -> list[report.Sampled]:
        """About ``most`` of the ``of`` images with this outcome, evenly spread over their rows."""
        from ldimport.migration import report

        ids: list[str] = []
        at = {"archive": archive, "status": status.value, "row": -1, "id": ""}
        done = 0
        for n in range(min(most, of)):
            goal = n * of // min(most, of)  # how many stand before the one to take
            row = self._connection.execute(
                SQL["next_arrived"], {**at, "skip": goal - done}
            ).fetchone()
            if row is None:
                break
            ids.append(row["external_id"])
            at |= {"row": row["row"], "id": row["external_id"]}
            done = goal + 1
        found = self._connection.execute(SQL["pictures"], (archive, json.dumps(ids)))
        return [made(report.Sampled, each) for each in found]


class _Groups:
    """Groups of images, put together one place after the other."""

    def __init__(self) -> None:
        self._outcomes: Counter[str] = Counter()
        self._sides: Counter[int] = Counter()
        self._types: Counter[str] = Counter()
        self._first: list[tuple[int, int, str]] = []
        self._hosts = self._images = self._failed = 0

    def add(self, place: str | None, groups: Iterable[report.ImageGroup]) -> None:
        """All groups of the images from one place."""
        from ldimport.migration import report

        images = failed = 0
        for each in groups:
            images += each.images
            failed += each.images if each.outcome in ("failed", "waived") else 0
            self._outcomes[each.outcome] += each.images
            if each.side is not None:
                side = each.side * report.SIDES[0]
                self._sides[report.step(side, report.SIDES)] += each.images
            if each.mime_type is not None:
                self._types[each.mime_type] += each.images
        self._hosts += 1
        self._images += images
        self._failed += failed
        host = "" if place is None else host_of(f"http://{place}/") or place
        heapq.heappush(self._first, (images, failed, host))
        if len(self._first) > report.MOST_HOSTS:
            heapq.heappop(self._first)

    def whole(self) -> report.ImageSums:
        """The sums; of origins those with most images."""
        from ldimport.migration import report

        named: dict[str, tuple[int, int]] = {}
        for n, failed, host in sorted(self._first, reverse=True):  # one may be written in many ways
            images, bad = named.get(host, (0, 0))
            named[host] = (images + n, bad + failed)
        first = [report.HostImages(host, *sums) for host, sums in named.items()]
        rest = report.HostImages(
            "",
            self._images - sum(each.images for each in first),
            self._failed - sum(each.failed for each in first),
        )
        return report.ImageSums(
            Totals(**self._outcomes),
            tuple(first),
            self._hosts - len(self._first) + len(first),
            rest,
            report.bins(self._sides, report.SIDES),
            tuple(self._types.most_common(report.MOST_TYPES)),
        )
