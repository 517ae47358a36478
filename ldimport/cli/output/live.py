"""The live display of a run on a terminal: a few lines that redraw."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING, Any

from ldimport.cli.output import quota, triage
from ldimport.cli.output.listeners import ReadingProgress, Stopping, jobs_text
from ldimport.cli.output.screen import BAD, QUIET, WAIT, Screen, assemble, bar
from ldimport.cli.output.text import cells, cut, cut_url
from ldimport.cli.output.throughput import Throughput
from ldimport.migration.causes import meaning_of
from ldimport.migration.events import (
    BatchSent,
    CanaryEnded,
    Event,
    JobEnded,
    Planned,
    Progress,
    Summary,
    Waiting,
)
from ldimport.migration.model import Failure
from ldimport.model import JobState, Notice, Silence
from ldimport.wording import clean, counted, duration, number

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live
    from rich.text import Text

PER_SECOND = 8
MOST_CAUSES = 4
"""Causes of failure that are told while running."""
STALE_AFTER = 30.0
_LABEL = 8
_SHORTEST_BAR, _LONGEST_BAR = 5, 28
_BAR_OF_JOB = 16
_SHORTEST_URL = 24


def moving(screen: Screen, lines: Callable[[], RenderableType]) -> Live:
    """Inside this context manager, ``lines`` are drawn again and again, and are gone after it."""
    from rich.live import Live

    return Live(get_renderable=lines, console=screen.console, refresh_per_second=PER_SECOND,
                transient=True, redirect_stdout=False, redirect_stderr=False)  # fmt: skip


@contextmanager
def checking(screen: Screen, reading: ReadingProgress) -> Iterator[None]:
    """Inside, one moving line says how far a manifest was read; nothing where nothing may move."""
    if not screen.stream.live:
        yield
        return
    with moving(screen, lambda: assemble(f"  {reading.text}" if reading.text else "")):
        yield


@dataclass
class LiveDisplay:
    """Two bars, since two things happen: we send, they import; below them the causes of failures,
    and whether the server is silent."""

    screen: Screen
    reading: ReadingProgress | None = None
    _: KW_ONLY
    sends: bool = True
    verbose: int = 0
    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        self._progress: Progress | None = None
        self._causes: Counter[str] = Counter()
        self._first: dict[str, Failure] = {}
        self._jobs_done = 0
        self._note = ""
        self._silence: Silence | None = None
        self._sent, self._done = Throughput(self.monotonic), Throughput(self.monotonic)
        self._live = moving(self.screen, lambda: self)

    def __enter__(self) -> LiveDisplay:
        self._live.start()
        return self

    def __exit__(self, *what: object) -> None:
        self._live.stop()

    def __call__(self, event: Event | Stopping) -> None:
        """Take note; print what is to stay."""
        match event:
            case Planned():
                self.reading = None
            case CanaryEnded():
                self.screen.say("✓" if event.passed else "✗", triage.canary_text(event))
            case Notice():
                self.screen.say("!", event.text)
            case Progress():
                self._progress = event
                self._sent.add(event.sent)
                self._done.add(event.counts.total - event.counts.pending)
            case Waiting():
                until = quota.moment(event.until, self.now(), here=True)
                self.screen.say("⧗", f"{quota.used(event.quota)}: waiting until {until}")
            case Failure():
                self._failure(event)
            case JobEnded():
                self._ended(event)
            case BatchSent() if self.verbose:
                self.screen.say("→", f"{event.job_id}  {counted(event.images, 'image')}")
            case Silence():
                self._silence = None if event.over else event
            case Stopping():  # shown at once, while what is under way ends
                self._note = "Stopping after what is under way. Ctrl-C again stops at once."
            case Summary():
                self.__exit__()

    def _failure(self, failure: Failure) -> None:
        self._causes[failure.group] += 1
        first = self._first.setdefault(failure.group, failure)
        if first.reason != failure.reason:  # a group's text is not one member's
            text = meaning_of(failure.cause, failure.group)
            self._first[failure.group] = replace(first, reason=text)
        if self.verbose:
            text = f"“{failure.reason}”: {failure.external_id} (row {number(failure.row)})"
            self.screen.say("✗", f"{text}  {failure.url}")

    def _ended(self, job: JobEnded) -> None:
        self._jobs_done += 1
        if job.state is JobState.FAILED:
            self.screen.say("✗", f"{job.job_id} failed as a whole")
        elif job.state is JobState.LOST:
            self.screen.say("✗", f"{job.job_id} is lost: the target no longer knows it")
        elif job.counts.failed and not self.sends and self._few:
            failed = f"{number(job.counts.failed)} of {counted(job.counts.total, 'image')} failed"
            self.screen.say("✗", f"{job.job_id} done, {failed}")
        elif self.verbose:
            failed = f", {number(job.counts.failed)} failed" if job.counts.failed else ""
            self.screen.line(f"  {job.job_id} done{failed}")

    @property
    def _few(self) -> bool:
        """Whether jobs are told one by one."""
        return self._progress is not None and bool(self._progress.jobs)

    # -- the moving lines ------------------------------------------------------------------

    def __rich__(self) -> RenderableType:
        from rich.console import Group

        return Group(*self.lines(self.screen.width or 80))

    def lines(self, width: int) -> Iterator[RenderableType]:
        """The lines of one frame, none wider than ``width``."""
        if self._progress is not None:
            yield self._bars(self._progress, width)
            if not self.sends:
                yield from self._jobs(self._progress, width)
            yield from self._failed_lines(width)
        elif self.reading is not None and self.reading.text:
            yield assemble(f"  {self.reading.text}")
        if self._silence is not None:
            for line in self._silent_lines(self._silence):
                yield assemble((line, WAIT))  # it wraps
        yield assemble((cut(self._last_line(width), width), QUIET))

    def _bars(self, progress: Progress, width: int) -> RenderableType:
        """Label, bar, counts, note of each; in a narrow window first the notes go, then bars."""
        from rich.table import Table

        whole = max(progress.counts.total, progress.to_send, progress.sent)
        done = progress.counts.total - progress.counts.pending
        rows = [("Import", done, whole, self._import_note(progress))]
        if self.sends:
            rows.insert(0, ("Send", progress.sent, progress.to_send, self._send_note(progress)))
        sums = [
            f"{number(done):>{len(number(all_))}} / {number(all_)}" for _, done, all_, _ in rows
        ]
        label = 2 + _LABEL if width >= 40 else _LABEL - 1
        room = width - label - 2 - max(map(cells, sums))
        longest = max(cells(note) for *_, note in rows) + 2
        noted = longest > 2 and room - longest >= _SHORTEST_BAR
        length = min(_LONGEST_BAR, room - longest if noted else room)
        grid = Table.grid(padding=(0, 2, 0, 0))
        for (word, done, all_, note), text in zip(rows, sums, strict=True):
            drawn = [bar(done, all_, length)] if length >= _SHORTEST_BAR else []
            head = f"{'  ' if width >= 40 else ''}{word}"
            grid.add_row(f"{head:<{label - 2}}", *drawn, text, *([note] if noted else []))
        return grid

    def _jobs(self, progress: Progress, width: int) -> Iterator[RenderableType]:
        """A line for each job while they are few, else how many are in which state."""
        if progress.jobs:
            yield assemble()
            yield self._job_lines(progress, width)
        if progress.open_jobs and not progress.jobs:
            text = jobs_text(progress, self._jobs_done)
            yield assemble((cut(f"  {text}", width), QUIET))
        elif self._jobs_done:
            yield assemble((f"  {number(self._jobs_done)} done", QUIET))

    def _job_lines(self, progress: Progress, width: int) -> RenderableType:
        """Id, state, bar, images, since when; where space is short without bars. A target that
        tells nothing before the end has none."""
        from rich.table import Table
        from rich.text import Text

        bars: list[tuple[int, int]] = []
        rows: list[tuple[str, str, str, str]] = []
        most = max(len(number(job.counts.total)) for job in progress.jobs)
        for job in progress.jobs:
            whole = job.counts.total
            ended = whole - job.counts.pending
            images = f"{number(ended)} / {number(whole):>{most}}"
            images = images if progress.exact else counted(whole, "image")
            since = "" if job.since is None else duration(self.now() - job.since)
            state = "… waiting" if progress.exact and not ended else "… running"
            bars.append((ended, whole))
            rows.append((f"  {clean(job.id)}", state, images, since))
        widths = [max(cells(row[n]) for row in rows) + 2 for n in range(4)]
        shown = 4 if sum(widths) <= width + 2 else 3
        room = min(_BAR_OF_JOB, width - sum(widths[:shown]))
        drawn = progress.exact and shown == 4 and room >= _SHORTEST_BAR
        grid = Table.grid(padding=(0, 2, 0, 0))
        for n in range(shown + drawn):
            justify: Any = "right" if n >= 2 + drawn else "left"
            grid.add_column(justify=justify, no_wrap=True, overflow="crop")
        for row, (ended, whole) in zip(rows, bars, strict=True):
            texts = [Text(each, QUIET) for each in row[:shown]]
            drawing = [bar(ended, whole, room)] if drawn else []
            grid.add_row(*texts[:2], *drawing, *texts[2:])
        return grid

    def _import_note(self, progress: Progress) -> str:
        counts = progress.counts
        if not self.sends:  # lines of their own tell of jobs
            ended = {"✓": counts.success, "·": counts.skipped, "✗": counts.failed}
            told = "  ".join(f"{sign} {number(n)}" for sign, n in ended.items())
            return f"{told}  {self._done.left(counts.pending)}".rstrip()
        parts = [f"{counted(progress.open_jobs, 'job')} running"]
        if self._jobs_done:
            parts.append(f"{number(self._jobs_done)} done")
        if counts.failed > self._causes.total():  # their causes come with the job's end
            parts.append(f"{number(counts.failed)} failed")
        parts.append(self._done.left(progress.counts.pending))
        return " · ".join(filter(None, parts))

    def _send_note(self, progress: Progress) -> str:
        rest = progress.to_send - progress.sent
        if rest <= 0:
            return "all sent"
        rate = self._sent.per_second
        parts = [f"{number(round(rate))}/s"] if rate >= 1 else []
        return " · ".join([*parts, self._sent.left(rest) or "…"])

    def _failed_lines(self, width: int) -> Iterator[Text]:
        """A line for each cause, which goes with the display: the final table has them all."""
        most = self._causes.most_common(MOST_CAUSES)
        digits = max((len(number(count)) for _, count in most), default=0)
        for n, (cause, count) in enumerate(most):
            label = "Failed" if n == 0 else ""
            first = self._first[cause]
            line = f"  {label:<{_LABEL}}{number(count):>{digits}} {clean(first.reason)}"
            place = f"   first {clean(first.external_id)} (row {number(first.row)})  "
            if cells(line) + cells(place) + _SHORTEST_URL <= width:
                line += place + cut_url(clean(first.url), width - cells(line) - cells(place))
            yield assemble((cut(line, width), BAD))
        if rest := len(self._causes) - len(most):
            yield assemble((cut(f"  {'':<{_LABEL}}and {number(rest)} more kinds", width), BAD))

    def _silent_lines(self, silence: Silence) -> Iterator[str]:
        yield f"  ! {silence.why}"
        if silence.next_try is not None:
            left = round(silence.next_try - self.now())
            again = f"next try in {duration(left)}" if left >= 1 else "trying again now"
            yield f"    {again} · {counted(silence.tries, 'try', 'tries')} so far"

    def _last_line(self, width: int) -> str:
        if self._note:
            return f"  {self._note}"
        idle = min(self._sent.idle, self._done.idle)
        if idle > STALE_AFTER:
            return f"  no change for {duration(idle)}. Ctrl-C stops safely."
        if self._progress is not None and (finish := self._progress.finish_at) is not None:
            when = quota.moment(finish, self.now(), here=True)
            return f"  By the quota all is sent about {when}. Ctrl-C stops safely."
        if not self.sends and self._progress is not None and not self._progress.exact:
            return "  Ctrl-C stops watching, not the jobs."
        whole = "  Ctrl-C stops safely. The same command goes on where it stopped."
        return whole if cells(whole) <= width else "  Ctrl-C stops safely."
