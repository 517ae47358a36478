"""A report on an archive in words, which its page, its Markdown and its JSON share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ldimport.causes import known_cause
from ldimport.cli.output.proof import percent_up
from ldimport.cli.output.screen import ALWAYS, OUTCOMES
from ldimport.cli.output.story import TO_CORRECT
from ldimport.cli.output.summary import way_out
from ldimport.migration.model import CauseRow, ResultRow
from ldimport.migration.proof import LEVEL, upper_bound
from ldimport.migration.report import DAY, HOUR
from ldimport.targets.base import LOCAL
from ldimport.wording import counted, duration, number, percent, size, utc, utc_day, utc_minute

if TYPE_CHECKING:
    from ldimport.migration.report import (
        ArchiveReport,
        Binned,
        Ends,
        FileDigest,
        HostImages,
        SentManifest,
        Thumbnail,
    )

NextCommand = Callable[..., str]
"""Words of a command as a command line about the archive of the report."""


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """What a report says beside what the state file knows: when it was made and by which version,
    the API's version that is set, and the file of the project config, where one is in force."""

    at: float
    version: str
    api_version: str
    config: FileDigest | None = None


@dataclass(frozen=True, slots=True)
class Bar:
    """Some images in words, and how many of them."""

    label: str
    images: int
    failed: int = 0


@dataclass(frozen=True, slots=True)
class TimeBar:
    """Outcomes in an interval, in words and by state."""

    title: str
    parts: tuple[tuple[str, int], ...]
    images: int


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Failures of one cause: what it means, what to do, and with which command."""

    row: CauseRow
    hint: str
    command: str
    why: str

    @property
    def again(self) -> str:
        """Whether trying again is worth it."""
        return "worth another try" if self.row.retryable else "needs a change first"

    @property
    def examples(self) -> str:
        """Some of them."""
        return " · ".join(f"{id_} (row {number(row)})" for id_, row in self.row.examples)


class ReportWords:
    """A report on one archive in words; everything in it is outside text still to be cleaned."""

    def __init__(self, found: ArchiveReport, facts: ReportFacts, next_: NextCommand) -> None:
        self.found, self.facts, self._next = found, facts, next_
        self.name = found.archive.system_name
        self.label = found.archive.label
        self.local = found.archive.target.startswith("embedded:")
        self.title = f"{self.name} → {self.label}"

    # -- sums --------------------------------------------------------------------------------

    @property
    def subtitle(self) -> str:
        """When, of what, by whom."""
        course = self.found.course
        days = "" if course.first_at is None else f", {_period(course.first_at, self._last)}"
        manifests = counted(course.manifests, "manifest")
        jobs = counted(course.jobs, "job")
        return f"Image migration{days} · {manifests} · {jobs} · ldimport {self.facts.version}"

    @property
    def _last(self) -> float:
        course = self.found.course
        return max(course.last_at or 0.0, course.last_end or 0.0)

    @property
    def parts(self) -> list[tuple[str, int]]:
        """States with their counts, those that are always told and those that there are."""
        totals = self.found.totals
        counts = [(name, getattr(totals, name)) for name in OUTCOMES]
        return [(name, count) for name, count in counts if count or name in ALWAYS]

    @property
    def arrived(self) -> str:
        """The share of images that are there."""
        totals = self.found.totals
        return percent(totals.success + totals.skipped, totals.rows)

    @property
    def sum(self) -> str:
        """That the states add up, in words."""
        added = " + ".join(f"{number(count)} {OUTCOMES[name][1]}" for name, count in self.parts)
        rows = number(self.found.totals.rows)
        return f"{added} = {rows} rows: each is in exactly one state."

    @property
    def notes(self) -> Iterator[str]:
        """What keeps this from being the last word."""
        found = self.found
        if found.totals.pending:
            text = f"{counted(found.totals.pending, 'image')} still in progress"
            yield f"{text}: a later report will say how they ended."
        if (run := found.last_run) is not None and run.unsent:
            left = f"left {counted(run.unsent, 'row')} of its manifest unsent"
            ended = utc_minute(run.finished_at)
            yield f"The last run, on {ended}, {left}; they are not in the sums."
        if not found.sums_agree:
            command = self._next("state", "check", "--repair")
            text = "The sums that the state file keeps are not these, which were counted anew"
            yield f"{text}: {command}"

    # -- charts ------------------------------------------------------------------------------

    @property
    def per(self) -> str:
        """What an interval is called."""
        each = self.found.course.each
        if each == HOUR:
            return "hour"
        return "day" if each == DAY else f"{each // DAY} days"

    @property
    def time(self) -> list[TimeBar]:
        """One for each interval, also those in which nothing ended."""
        course = self.found.course
        known = {each.n: each for each in course.ends}
        last = max(known, default=-1)
        return [self._time_bar(n, known.get(n)) for n in range(last + 1)]

    def _time_bar(self, n: int, ends: Ends | None) -> TimeBar:
        at = self._start(n)
        if ends is None:
            return TimeBar(f"{at}: none", (), 0)
        parts = tuple((name, getattr(ends, name)) for name in ALWAYS)
        told = ", ".join(f"{number(n)} {OUTCOMES[name][1]}" for name, n in parts if n)
        return TimeBar(f"{at}: {told}", parts, ends.images)

    def _start(self, n: int) -> str:
        course = self.found.course
        at = course.since + n * course.each
        return utc_minute(at) if course.each == HOUR else utc_day(at)

    @property
    def ticks(self) -> list[str]:
        """Words below the time bars: the first, the middle, the last."""
        bars = self.found.course.ends
        last = max((each.n for each in bars), default=0)
        return [self._start(n) for n in dict.fromkeys((0, last // 2, last))]

    @property
    def time_words(self) -> str:
        """The course in a sentence."""
        course = self.found.course
        if not course.ends:
            return "No job has ended yet."
        most = max(course.ends, key=lambda each: each.images)
        told = sum(each.images for each in course.ends)
        span = max(course.last_end or 0.0, course.last_at or 0.0) - (course.first_at or 0.0)
        article = {"hour": "an ", "day": "a "}.get(self.per, "")
        return (
            f"{counted(told, 'outcome')} in {duration(span)}; at most {number(most.images)} in "
            f"{article}{self.per}, from {self._start(most.n)} (UTC) on. "
            "An image that was sent twice counts twice here."
        )

    @property
    def hosts(self) -> list[Bar]:
        """Where images came from."""
        images = self.found.images
        bars = [Bar(_host(each), each.images, each.failed) for each in images.hosts]
        if (rest := images.hosts_in_all - len(images.hosts)) > 0:
            other = images.other_hosts
            bars.append(Bar(f"and {counted(rest, 'more host')}", other.images, other.failed))
        return bars

    @property
    def sides(self) -> list[Bar]:
        """Longer sides in pixels."""
        return [Bar(_bin(each, number), each.images) for each in self.found.images.sides]

    @property
    def sizes(self) -> list[Bar]:
        """File sizes."""
        return [Bar(_bin(each, _size), each.images) for each in self.found.sizes or ()]

    @property
    def types(self) -> list[Bar]:
        """File types."""
        return [Bar(word, n) for word, n in self.found.images.types]

    @property
    def unknown_sides(self) -> str:
        """Of how many images the sides are known."""
        return self._known(sum(each.images for each in self.found.images.sides))

    @property
    def unknown_sizes(self) -> str:
        """The same of file sizes, and who would tell them."""
        known = sum(each.images for each in self.found.sizes or ())
        if known or self.local:
            return self._known(known)
        again = self._next("verify")
        return f"The results of jobs do not tell them. {again} asks the media library for each."

    def _known(self, known: int) -> str:
        rows = self.found.totals.rows
        return f"Known of {number(known)} of {counted(rows, 'image')}."

    # -- failures ----------------------------------------------------------------------------

    @property
    def causes(self) -> list[FailureGroup]:
        """Failures by cause, the most frequent first."""
        return [self._group(row) for row in self.found.causes]

    @property
    def more_causes(self) -> str:
        """That there are more of them; empty where there are not."""
        rest = self.found.causes_in_all - len(self.found.causes)
        if rest <= 0:
            return ""
        images = self.found.totals.failed - sum(row.images for row in self.found.causes)
        return f"and {counted(rest, 'more kind')} ({counted(images, 'image')})"

    def _group(self, row: CauseRow) -> FailureGroup:
        known = known_cause(row.cause)
        words, why = self._way(row)
        hint = f"{known.hint[0].upper()}{known.hint[1:]}" if known else ""
        return FailureGroup(row, hint, self._next(*words), why)

    def _way(self, row: CauseRow) -> tuple[Sequence[str], str]:
        if row.retryable:
            return ("retry", "--cause", row.cause), "sends them again"
        url = f"http://{row.parameters['host']}/" if row.parameters.get("host") else None
        if self.label == LOCAL and (way := way_out(row.cause, url)):
            return way
        correct = ("results", "--cause", row.cause, *TO_CORRECT[1:])
        return correct, "their rows, to correct and submit"

    @property
    def failures(self) -> tuple[ResultRow, ...]:
        """The first ones."""
        return self.found.failures

    @property
    def failures_words(self) -> str:
        """How many of all are listed, and how to get all."""
        failed, shown = self.found.totals.failed, len(self.failures)
        if not failed:
            return "No image failed for good that nobody waived."
        every = self._next("results", "--failed", "-o", "failed.csv")
        which = f"The first {number(shown)} of {number(failed)}" if failed > shown else "All"
        order = "in the order of the manifest, queries of URLs left out"
        return f"{which}, {order}. {every} writes all of them."

    # -- sample ------------------------------------------------------------------------------

    @property
    def thumbnails(self) -> Sequence[Thumbnail]:
        """The contact sheet."""
        return self.found.thumbnails or ()

    @property
    def sample_words(self) -> str:
        """What the contact sheet is, or why there is none."""
        pictures = self.found.thumbnails
        if pictures is None:
            return ""
        lost = len(pictures) - self.shown
        text = f"{counted(len(pictures), 'image')}, evenly spread over the archive"
        if self.found.fetched:
            text += "; fetched for this report from where the target keeps them"
        return f"{text}." + (f" {number(lost)} could not be shown." if lost else "")

    @property
    def shown(self) -> int:
        """How many pictures there are."""
        return sum(each.why is None for each in self.thumbnails)

    # -- evidence ----------------------------------------------------------------------------

    @property
    def evidence(self) -> list[tuple[str, str]]:
        """What was moved where, when and by what, by name."""
        found, facts, course = self.found, self.facts, self.found.course
        bad = [f"{number(n)} {word}" for word in ("lost", "failed") if (n := getattr(course, word))]
        api = "none: the local engine, nothing was sent to Livingdocs"
        config = _digest(facts.config) if facts.config else self._no_config
        times = (("First submission", course.first_at), ("Last submission", course.last_at),
                 ("Last job ended", course.last_end))  # fmt: skip
        return [
            ("Target", f"{self.label} ({found.archive.target})"),
            ("systemName", self.name),
            ("API version", api if self.local else facts.api_version),
            ("Jobs", number(course.jobs) + (f", of which {' and '.join(bad)}" if bad else "")),
            *((name, utc(at)) for name, at in times if at is not None),
            *(("Manifest", self._manifest(each)) for each in found.manifests),
            *self._more_manifests,
            ("Project config", config),
            ("Verified", self.verified),
            ("Made", f"{utc(facts.at)} by ldimport {facts.version}"),
        ]

    @property
    def _no_config(self) -> str:
        return "the documented default" if self.local else "the server's own; no file is in force"

    @property
    def _more_manifests(self) -> list[tuple[str, str]]:
        rest = self.found.course.manifests - len(self.found.manifests)
        return [("Manifest", f"and {number(rest)} more")] if rest > 0 else []

    def _manifest(self, of: SentManifest) -> str:
        sent = f"{counted(of.images, 'image')} in {counted(of.batches, 'batch', 'batches')}"
        told = [f"{of.name}: {sent}"]
        for each in of.digests:
            text = _digest(each)
            if each.changed_at is not None and each.changed_at > of.last_at:
                text += ", changed since it was last sent"
            told.append(text)
        return "; ".join(told)

    @property
    def verified(self) -> str:
        """How much was looked up, and what that proves."""
        looks, there = self.found.looks, self.found.totals
        if looks is None or not looks.checked:
            return f"not yet: {self._next('verify')}"
        text = f"{number(looks.checked)} of {number(there.success + there.skipped)} looked up"
        text += f": {number(looks.same)} as sent, {number(looks.differs)} differ, "
        text += f"{number(looks.missing)} missing"
        if looks.begun.sample is not None and looks.checked < there.success + there.skipped:
            bound = percent_up(upper_bound(looks.missing, looks.checked))
            text += f"; at most {bound} missing, with {LEVEL * 100:.0f} % confidence"
        pictures = ", with pictures" if looks.begun.pictures else ""
        ended = "" if looks.begun.ended else ", not finished"
        return f"{text} (until {utc(looks.last_at or 0.0)}{pictures}{ended})"


def _digest(of: FileDigest) -> str:
    if of.sha256 is None:
        return f"{of.name} is not there any more"
    return f"{of.name} as it is now: sha256 {of.sha256}"


def _host(of: HostImages) -> str:
    return of.host or "files below a folder"


def _bin(of: Binned, word: Callable[[int], str]) -> str:
    if of.below is None:
        return f"{word(of.least)} and more"
    return f"{word(of.least)} to {word(of.below)}" if of.least else f"below {word(of.below)}"


def _size(count: int) -> str:
    return size(count).replace(".0 ", " ")


def _period(first: float, last: float) -> str:
    one, other = utc_day(first), utc_day(last)
    return one if one == other else f"{one} to {other}"
