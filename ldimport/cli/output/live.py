"""The live display of a run on a terminal: a few lines that redraw, failures that stay."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ldimport.cli.output.bars import bar
from ldimport.cli.output.listeners import Reading
from ldimport.cli.output.screen import BAD, QUIET, Part, Screen, assemble
from ldimport.cli.output.text import cells, clean, counted, cut, duration, number
from ldimport.migration.events import BatchSent, Event, JobEnded, Notice, Planned, Progress, Summary
from ldimport.migration.model import Failure
from ldimport.model import JobState

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

PER_SECOND = 8
RATE_WINDOW = 60.0
RATE_AFTER = 10.0
STALE_AFTER = 30.0
_LABEL = 8
_SHORTEST_BAR, _LONGEST_BAR = 5, 28


@contextmanager
def checking(screen: Screen, reading: Reading) -> Iterator[None]:
    """Inside, one moving line says how far a manifest was read; nothing where nothing may move."""
    if not screen.stream.live:
        yield
        return
    from rich.live import Live

    def line() -> Text:
        return assemble(f"  {reading.text}" if reading.text else "")

    with Live(
        get_renderable=line,
        console=screen.console,
        refresh_per_second=PER_SECOND,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    ):
        yield


class Pace:
    """How fast something grows, over the last minute."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._samples: deque[tuple[float, int]] = deque([(monotonic(), 0)])
        self._began = monotonic()
        self.changed = monotonic()

    def add(self, done: int) -> None:
        """So many are done by now."""
        now = self._monotonic()
        if done != self._samples[-1][1]:
            self.changed = now
        if now - self._samples[-1][0] >= 0.5:
            self._samples.append((now, done))
        while now - self._samples[0][0] > RATE_WINDOW and len(self._samples) > 2:
            self._samples.popleft()

    @property
    def per_second(self) -> float:
        """Average over the last minute; 0 when unknown."""
        (first, before), (last, after) = self._samples[0], self._samples[-1]
        return (after - before) / (last - first) if last > first else 0.0

    def left(self, rest: int) -> str:
        """Time left in words; empty before ten seconds have passed or when nothing moves."""
        if self._monotonic() - self._began < RATE_AFTER or rest <= 0 or self.per_second <= 0:
            return ""
        return f"{duration(max(1, rest / self.per_second))} left"

    @property
    def idle(self) -> float:
        """Seconds since something changed."""
        return self._monotonic() - self.changed


class LiveDisplay:
    """Two bars, since two things happen: we send, they import. Lines about the first failure of
    each cause stand above and stay."""

    def __init__(
        self,
        screen: Screen,
        reading: Reading | None = None,
        *,
        sends: bool = True,
        verbose: int = 0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._screen = screen
        self._reading = reading
        self._sends = sends
        self._verbose = verbose
        self._monotonic = monotonic
        self._progress: Progress | None = None
        self._causes: Counter[str] = Counter()
        self._reasons: dict[str, str] = {}
        self._jobs_done = 0
        self._note = ""
        self._sent, self._done = Pace(monotonic), Pace(monotonic)
        self._live: Live | None = None

    def __enter__(self) -> LiveDisplay:
        self._start()
        return self

    def __exit__(self, *what: object) -> None:
        self._stop()

    def handle(self, event: Event) -> None:
        """Take note; print what is to stay."""
        match event:
            case Planned():
                self._reading = None
            case Notice():
                self._screen.line(("!", "yellow"), f" {event.text}", indent=2)
            case Progress():
                self._took(event)
            case Failure():
                self._failure(event)
            case JobEnded():
                self._ended(event)
            case BatchSent() if self._verbose:
                self._screen.line(
                    ("→", QUIET), f" {event.job_id}  {counted(event.images, 'image')}"
                )
            case Summary():
                self._stop()

    def stopping(self) -> None:
        """Shown at once, while what is under way ends."""
        self._note = "Stopping after what is under way. Ctrl-C again stops at once."

    # -- events ----------------------------------------------------------------------------

    def _start(self) -> None:
        from rich.live import Live

        if self._live is None:
            self._live = Live(
                self,
                console=self._screen.console,
                refresh_per_second=PER_SECOND,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()

    def _stop(self) -> None:
        if self._live is not None:
            live, self._live = self._live, None
            live.stop()

    def _took(self, progress: Progress) -> None:
        self._progress = progress
        counts = progress.counts
        self._sent.add(progress.sent)
        self._done.add(counts.success + counts.skipped + counts.failed)

    def _failure(self, failure: Failure) -> None:
        self._causes[failure.group] += 1
        first = self._causes[failure.group] == 1
        self._reasons.setdefault(failure.group, failure.reason)
        if first or self._verbose:
            word = "first " if first and not self._verbose else ""
            self._screen.line(
                ("✗", BAD),
                f" {word}“{failure.reason}”: {failure.external_id} (row {number(failure.row)})"
                f"  {failure.url}",
                indent=2,
            )

    def _ended(self, job: JobEnded) -> None:
        self._jobs_done += 1
        if job.state is JobState.FAILED:
            self._screen.line(("✗", BAD), f" {job.job_id} failed as a whole", indent=2)
        elif job.state is JobState.LOST:
            self._screen.line(("✗", BAD), f" {job.job_id} is lost: the target no longer knows it")
        elif self._verbose:
            failed = job.counts.failed
            words = f"done, {number(failed)} failed" if failed else "done"
            self._screen.line((" ", ""), f" {job.job_id} {words}")

    # -- the moving lines ------------------------------------------------------------------

    def __rich__(self) -> Text:
        text = assemble()
        for n, parts in enumerate(self.lines(self._screen.width or 80)):
            text.append("\n" if n else "").append_text(assemble(*parts))
        return text

    def lines(self, width: int) -> Iterator[list[Part]]:
        """The lines of one frame, none wider than ``width``."""
        progress = self._progress
        if self._reading is not None and self._reading.text and progress is None:
            yield [f"  {self._reading.text}"]
        if progress is not None:
            counts = progress.counts
            done = counts.success + counts.skipped + counts.failed
            colour = self._screen.stream.colour
            if self._sends:
                note = self._send_note()
                yield _bar_line("Send", progress.sent, progress.to_send, note, width, colour)
            jobs = f"{counted(progress.open_jobs, 'job')} running"
            if self._jobs_done:
                jobs += f" · {number(self._jobs_done)} done"
            left = self._done.left(counts.pending) if counts.pending else ""
            note = f"{jobs} · {left}" if left else jobs
            whole = max(counts.total, progress.to_send)
            yield _bar_line("Import", done, whole, note, width, colour)
            if self._causes:
                yield self._failed_line(width)
        yield [(cut(self._last_line(), width), QUIET)]

    def _send_note(self) -> str:
        assert self._progress is not None
        rest = self._progress.to_send - self._progress.sent
        if rest <= 0:
            return "all sent"
        rate = self._sent.per_second
        parts = [f"{number(round(rate))}/s"] if rate >= 1 else []
        parts.append(self._sent.left(rest) or "…")
        return " · ".join(parts)

    def _failed_line(self, width: int) -> list[Part]:
        line = f"  {'Failed':<{_LABEL}}"
        for n, (cause, count) in enumerate(self._causes.most_common()):
            piece = f"{number(count)} {clean(self._reasons[cause])}"
            if cells(line) + cells(piece) > width - 2:
                line = f"{line.rstrip()} …" if n else line + cut(piece, width - cells(line))
                break
            line += f"{piece}  "
        return [(line.rstrip(), BAD)]

    def _last_line(self) -> str:
        if self._note:
            return f"  {self._note}"
        idle = min(self._sent.idle, self._done.idle)
        if idle > STALE_AFTER:
            return f"  no change for {duration(idle)}. Ctrl-C stops safely."
        return "  Ctrl-C stops safely. The same command goes on where it stopped."


def _bar_line(label: str, done: int, whole: int, note: str, width: int, colour: bool) -> list[Part]:
    """Label, bar, counts, note; where space is short the note goes first, then the bar."""
    whole = max(whole, done)
    head = f"  {label:<{_LABEL}}" if width >= 40 else f"{label} "
    sums = f"{number(done):>{len(number(whole))}} / {number(whole)}"
    room = width - len(head) - 2 - len(sums)
    if room - 2 - cells(note) < _SHORTEST_BAR:
        note = ""
    else:
        room -= 2 + cells(note)
    drawn: list[Part] = []
    if room >= _SHORTEST_BAR:
        drawn = [*bar(done, whole, min(_LONGEST_BAR, room), colour=colour), "  "]
    return [head, *drawn, sums, *([f"  {note}"] if note else [])]
