"""Who listens to a running use case: nobody, JSON Lines, lines for a log, a live display."""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass

from ldimport.cli.output import documents, quota, triage
from ldimport.cli.output.silence import SilenceOnce, full_text
from ldimport.cli.output.stream import Stream
from ldimport.cli.output.text import cut
from ldimport.cli.output.throughput import Throughput
from ldimport.errors import LdimportError, QuotaError
from ldimport.migration import events
from ldimport.migration.events import Event, Plan, Progress, Summary
from ldimport.migration.model import Failure
from ldimport.model import Counts, JobState, Notice, Silence
from ldimport.wording import clean, counted, number, percent, size, utc

STUCK = "quota-stuck"
"""Code of the notice that a cron line mails."""
FIRST_PROGRESS = 10.0
PROGRESS_PAUSE = 1.0
MOST_OF_A_REASON = 500
"""Columns of a reason in a line of a log: servers may say anything."""


@dataclass(frozen=True, slots=True)
class Stopping:
    """The run was asked to end, and does so in order."""


Listener = Callable[[Event | Stopping], None]
"""Hears every event of a run, the summary too."""


@dataclass(slots=True)
class ReadingProgress:
    """How far the manifest has been read, in bytes."""

    whole: int = 0
    done: int = 0

    def tick(self, done: int) -> None:
        """So many bytes by now; called often, from deep inside the check."""
        self.done = done

    @property
    def text(self) -> str:
        """``Checking · 51 %``; empty before it began."""
        if not self.done:
            return ""
        share = f"{min(100, 100 * self.done // self.whole)} %" if self.whole else size(self.done)
        return f"Checking · {share}"


@dataclass
class JsonLinesListener:
    """Every event as one line of JSON, for scripts and for ``--log-file``; of progress at most
    one line a second. ``start`` is the first line."""

    stream: Stream
    now: Callable[[], float]
    start: documents.Document

    def __post_init__(self) -> None:
        self._next_progress, self._rate = 0.0, Throughput(self.now)
        self._silence = SilenceOnce(self.now)
        self.stream.document(documents.dumps(self.start))

    def __call__(self, event: Event | Stopping) -> None:
        """One line; that a run was asked to stop is said by its summary."""
        more: documents.Document = {}
        if isinstance(event, Progress):
            self._rate.add(event.counts.total - event.counts.pending)
            if self.now() < self._next_progress:
                return
            self._next_progress = self.now() + PROGRESS_PAUSE
            more = self._speed(event)
        if isinstance(event, Silence) and not self._silence.worth(event):
            return
        if not isinstance(event, Stopping):
            self.stream.document(documents.dumps({**documents.event(event, self.now()), **more}))

    def _speed(self, progress: Progress) -> documents.Document:
        left = self._rate.seconds_left(progress.counts.pending)
        seconds = None if left is None or left < 0 else round(left)
        return {"perSecond": round(self._rate.per_second, 1), "secondsLeft": seconds}


@dataclass
class LogLines:
    """Plain lines with UTC times, for cron, CI and pipes: the first progress line after ten
    seconds, then one every ``every`` seconds; the first failure of each cause, with ``verbose``
    each failure and job."""

    stream: Stream
    now: Callable[[], float]
    _: KW_ONLY
    every: float
    verbose: int = 0

    def __post_init__(self) -> None:
        self._began = self.now()
        self._next = self._began + min(FIRST_PROGRESS, self.every)
        self._causes: set[str] = set()
        self._last: Progress | None = None
        self._jobs_done, self._rate = 0, Throughput(self.now)
        self._silence = SilenceOnce(self.now)

    def say(self, kind: str, text: str) -> None:
        """One line: time, kind, text."""
        self.stream.line(f"{utc(self.now())} {kind:<9} {clean(text)}".rstrip())

    def __call__(self, event: Event | Stopping) -> None:
        """A line where the event deserves one."""
        match event:
            case events.Planned(plan=plan):
                self.say("plan", plan_text(plan))
            case events.RetryPlanned() if event.sent:
                self.say("plan", f"{number(event.sent)} to send again, {number(event.left)} left")
            case events.Left():
                why = ": needs a change; --all sends it" if event.needs_change else ""
                self.say("left", f"{number(event.images)} “{event.reason}”{why}")
            case events.CanaryEnded():
                self.say("canary", triage.canary_text(event))
            case Notice():
                self.say("stuck" if event.code == STUCK else "note", event.text)
            case events.Waiting():
                until = utc(event.until)
                self.say("quota", f"{quota.used(event.quota)}; waiting until {until}")
            case events.BatchSent() if self.verbose:
                rows = f"rows {number(event.first_row)} to {number(event.last_row)}"
                self.say("batch", f"{event.job_id}: {counted(event.images, 'image')}, {rows}")
            case Progress():
                self._last = event
                self._rate.add(event.counts.total - event.counts.pending)
                if self.now() >= self._next:
                    self.progress()
            case Failure():
                self._failure(event)
            case events.JobEnded():
                self._jobs_done += 1
                if self.verbose or event.state is not JobState.SUCCESS:
                    text = f"{event.job_id} {event.state}: {counts_text(event.counts)}"
                    self.say("job", text)
            case Silence() if self._silence.worth(event):
                text = full_text(event, tty=False)
                self.say("answers" if event.over else "silent", text)
            case Stopping():
                self.say("stopping", "in order; a second signal stops at once")
            case Summary():
                self._summary(event)

    def progress(self) -> None:
        """Where the run stands; also at once when asked by SIGUSR1."""
        self._next = self.now() + self.every
        if self._last is not None:
            left = self._rate.left(self._last.counts.pending)
            passed, jobs = self.now() - self._began, self._jobs_done
            self.say("progress", progress_text(self._last, passed, left, jobs))

    def _failure(self, failure: Failure) -> None:
        first = failure.group not in self._causes
        self._causes.add(failure.group)
        if first or self.verbose:
            word = "first " if first and not self.verbose else ""
            reason = cut(failure.reason, MOST_OF_A_REASON)
            self.say("failed", f'{word}"{reason}": row {number(failure.row)}, '
                     f"id {failure.external_id}, {failure.url}")  # fmt: skip

    def _summary(self, end: Summary) -> None:
        if isinstance(end.stopped, LdimportError):
            kind = "quota" if isinstance(end.stopped, QuotaError) else "stopped"
            room = None
            if isinstance(end.stopped, QuotaError):
                room = quota.room(end.stopped, self.now(), here=False)
            self.say(kind, f"{end.stopped.message}. {room}" if room else end.stopped.message)
        self.say("exit", f"{int(end.exit_code)}: {end.exit_code.meaning}")


def plan_text(plan: Plan) -> str:
    """The counts of a plan in one line; they add up to the rows."""
    parts = [f"{number(plan.new)} new", f"{number(plan.changed)} changed"]
    parts.append(f"{number(plan.unchanged)} unchanged")
    rare = {"tried again": plan.retried, "failed before": plan.failed, "waived": plan.waived,
            "in progress": plan.in_progress, "invalid": plan.invalid}  # fmt: skip
    parts += [f"{number(count)} {word}" for word, count in rare.items() if count]
    if plan.left_out:
        parts.append(f"{number(plan.to_send)} to send (--limit)")
    head = f"{plan.manifest} → {plan.target}, systemName {plan.system_name}"
    return f"{head}: {counted(plan.entries, 'row')}: {', '.join(parts)}"


def jobs_text(progress: Progress, done: int) -> str:
    """How many jobs are in which state: ``9,412 not asked yet · 16 running · 572 done``."""
    word = "waiting" if progress.exact else "not asked yet"
    running = progress.open_jobs - progress.waiting
    states = {word: progress.waiting, "running": running, "done": done}
    return " · ".join(f"{number(jobs)} {word}" for word, jobs in states.items() if jobs)


def counts_text(counts: Counts) -> str:
    """``771 imported, 0 skipped, 29 failed``, and what is open."""
    text = f"{number(counts.success)} imported, {number(counts.skipped)} skipped, "
    text += f"{number(counts.failed)} failed"
    return f"{text}, {number(counts.pending)} open" if counts.pending else text


def progress_text(progress: Progress, seconds: float, left: str = "", jobs: int = 0) -> str:
    """Where a run stands, with its rate and the time that this leaves; one that sends nothing does
    not speak of that. Of more than a few jobs how many are in which state, ``jobs`` having ended.
    """
    counts = progress.counts
    text = counts_text(counts)
    if progress.to_send:
        share = percent(progress.sent, progress.to_send)
        sent = f"{number(progress.sent)} of {number(progress.to_send)} sent ({share})"
        text = f"{sent}, {text}"
    done = counts.total - counts.pending
    if progress.open_jobs > len(progress.jobs):
        text += f", jobs: {jobs_text(progress, jobs)}"
    if seconds >= 1 and done:
        text += f", {number(round(done / seconds))}/s"
    text = f"{text}, {left}" if left else text
    finish = progress.finish_at
    return text if finish is None else f"{text}, all is sent about {utc(finish)} (quota)"
