"""The end of a run on the screen: counts that add up, failures by cause, what to do next."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ldimport.causes import Cause, known_cause
from ldimport.cli.output import quota
from ldimport.cli.output.screen import ACCENT, ALWAYS, OUTCOMES, Hint, Screen, TableColumn, table
from ldimport.cli.output.text import cells
from ldimport.errors import DeadlineError, ExitCode, LdimportError, QuotaError
from ldimport.migration.events import Plan, Summary
from ldimport.migration.model import CauseRow, Totals, Updates, Waiver
from ldimport.model import JobState
from ldimport.url import host_of
from ldimport.wording import counted, duration, number


def bare(*words: str) -> str:
    """A next command where no option was given."""
    return " ".join(("ldimport", *words))


def way_out(cause: str, url: str | None) -> tuple[tuple[str, ...], str] | None:
    """What to do about images that the local engine did not get for this ``cause``, as the words
    of a command and what for: its address guard refused them (``url`` is one of them, where all
    have the same host), a server did, or its certificate is not trusted."""
    if cause == Cause.ADDRESS_NOT_ALLOWED.code:
        host = host_of(url) if url else "HOST[:PORT]"
        return ("retry", "--allow-host", host), "if the private address is meant"
    if cause == Cause.ORIGIN_STATUS.with_(status=403).code:
        return ("retry", "--user-agent", "TEXT"), "if the server refuses unknown programs"
    if cause == Cause.TLS.code:
        return ("explain", "tls"), "how to trust an authority of your own"
    return None


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the screen must know of a run beside its Summary: the ``command`` that goes on with
    it (``submit archive.csv --valid-only``), whether it was the ``local`` engine, the time
    ``now``, the ``arguments`` that other commands about the same manifest take, what writes a
    ``next`` command for the same run (``Session.next_command``), and whether other ``workers`` of
    the local engine are alive."""

    command: str
    local: bool
    now: float
    waited: bool = True
    arguments: str = ""
    next: Callable[..., str] = bare
    workers: bool = False


def show(screen: Screen, end: Summary, run: RunFacts) -> None:
    """The whole closing screen."""
    plan, sums = end.plan, end.shown
    if plan is not None:
        screen.line((plan.manifest, ACCENT), f" → {plan.target} · systemName {plan.system_name}")
        screen.blank()
    if end.jobs or sums.failed or sums.waived or sums.pending or sums.unsubmitted or sums.invalid:
        running = sum(not job.state.finished for job in end.jobs)
        counts(screen, sums, plan, jobs=running, days=_more_days(end))
        screen.blank()
    if end.causes:
        causes(screen, end.causes)
        screen.blank()
    if end.waived:
        waivers(screen, end.waived)
        screen.blank()
    if end.held:
        held(screen, end.held)
        screen.blank()
    if end.notes:
        notes(screen, end.notes)
        screen.blank()
    if end.updated is not None:
        updates(screen, end.updated)
    closing(screen, end, run)
    if end.plan is None and end.finish_at is not None and end.finish_at > run.now:
        when = quota.moment(end.finish_at, run.now, here=screen.stream.tty)
        screen.line(f"  All that waits for the quota is sent about {when}.", indent=2)
    screen.hints(next_steps(end, run))


def counts(
    screen: Screen, sums: Totals, plan: Plan | None, *, jobs: int = 0, days: str = ""
) -> None:
    """Every row by its last outcome, and their sum; with a limit those that it let through.
    ``days``: how long what is not sent yet will take."""
    limited = plan is not None and plan.limit is not None
    earlier = number(plan.unchanged) if plan and plan.unchanged and not limited else ""
    skipped = "already exists"
    if sums.not_taken_over:
        skipped += f"; {number(sums.not_taken_over)} changed but not taken over"
    notes = {
        "success": f"{earlier} of all rows arrived in earlier runs" if earlier else "",
        "skipped": skipped if sums.skipped else "",
        "pending": counted(jobs, "job") if jobs else "",
        "waived": "failures that somebody accepted",
        "invalid": "have errors, not sent",
        "unsubmitted": days,
    }
    rows = [
        (sign, word, getattr(sums, name), notes.get(name, ""))
        for name, (sign, word) in OUTCOMES.items()
        if getattr(sums, name) or name in ALWAYS
    ]
    screen.counts(rows, ("rows" if plan is not None and not limited else "images", sums.rows))


FAILURES = (
    TableColumn("FAILED", right=True), TableColumn("REASON", shrink=True), TableColumn("CAUSE"),
    TableColumn("TRY AGAIN?", drop=1), TableColumn("EXAMPLES", shrink=True, drop=2),
)  # fmt: skip
_CAUSE = 2
_WIDE = 110


def causes(screen: Screen, found: Sequence[CauseRow], most: int = 12) -> None:
    """Failures by cause, the most frequent first; what is left out is counted. Where there is room
    with the codes that ``--cause`` and ``explain`` take."""
    rows = []
    shown = [n for n in range(len(FAILURES)) if n != _CAUSE or (screen.width or _WIDE) >= _WIDE]
    for row in found[:most]:
        named = (f"{name} (row {number(at)})" if at else name for name, at in row.examples)
        again = "yes" if row.retryable else "no"
        line = (number(row.images), row.text, row.cause, again, tuple(named))
        rows.append([line[n] for n in shown])
    table(screen, [FAILURES[n] for n in shown], rows)
    if rest := found[most:]:
        images = sum(row.images for row in rest)
        screen.line(f"and {number(len(rest))} more kinds ({counted(images, 'image')})")


def waivers(screen: Screen, found: Sequence[Waiver], most: int = 12) -> None:
    """Why failures were accepted, one line for each reason."""
    for each in found[:most]:
        named = ", ".join(name for name, _ in each.examples)
        more = " …" if each.images > len(each.examples) else ""
        screen.say("–", f"{counted(each.images, 'failure')} waived: {each.reason} ({named}{more})")
    if rest := found[most:]:
        images = sum(each.images for each in rest)
        screen.line(f"and {counted(len(rest), 'more reason')} ({counted(images, 'image')})")


def held(screen: Screen, found: Mapping[str, int]) -> None:
    """Hosts that failed over and over, and what was therefore not sent."""
    for host, images in found.items():
        text = f"{counted(images, 'image')} of {host} not sent, since it failed over and over"
        screen.say("!", f"{text}; the next run tries a few first")


def notes(screen: Screen, found: Mapping[str, int]) -> None:
    """What is to be said of images that arrived, one line for each kind."""
    for code, images in sorted(found.items(), key=lambda each: -each[1]):
        known = known_cause(code)
        text = code if known is None else known.meaning
        screen.say("!", f"{counted(images, 'image')} imported with a note: {text} ({code})")


def updates(screen: Screen, done: Updates) -> None:
    """What became of changes that the target had skipped."""
    if done.patched:
        entries = counted(done.patched, "changed entry", "changed entries")
        screen.say("✓", f"{entries} updated through the media library")
    if done.impossible:
        entries = counted(done.impossible, "entry", "entries")
        why = "more changed than metadata: url or media type"
        screen.say("!", f"{entries} cannot be updated there: {why}")
    if done.refused:
        entries = counted(done.refused, "entry", "entries")
        screen.say("!", f"{entries} not updated: the media library refused")
    if done.impossible or done.refused or done.patched:
        screen.blank()


def closing(screen: Screen, end: Summary, run: RunFacts) -> None:
    """How it ended, in one sentence, and what goes on without us."""
    took = f"{counted(len(end.jobs), 'job')} · " if end.jobs else ""
    took += duration(end.seconds)
    stopped = end.stopped
    if end.exit_code in (ExitCode.INTERRUPTED, ExitCode.TERMINATED):
        word = "Stopped" if end.exit_code is ExitCode.TERMINATED else "Interrupted"
        _sentence(screen, "■", f"{word}: {_sent(end)}, all recorded", took)
    elif isinstance(stopped, (QuotaError, DeadlineError)):
        _sentence(screen, "⧗", f"{stopped.message[:1].upper()}{stopped.message[1:]}", took)
        if isinstance(stopped, QuotaError):
            _room(screen, stopped, run)
    elif isinstance(stopped, LdimportError):
        screen.error(_with_state(stopped, end))
    else:
        _sentence(screen, *_finished(end, run), took)
    _what_goes_on(screen, end, run)


def _more_days(end: Summary) -> str:
    forecast = None if end.quota is None else end.quota.forecast(end.totals.unsubmitted)
    return f"{counted(forecast.days, 'more day')}" if forecast and forecast.days else ""


def _sentence(screen: Screen, sign: str, text: str, tail: str) -> None:
    """A closing sentence; jobs and time stand behind it, or below where they do not fit."""
    width = screen.width
    fits = width is None or 2 + cells(text) + 3 + cells(tail) <= width
    screen.say(sign, f"{text}   {tail}" if fits else text)
    if not fits:
        screen.line(f"  {tail}", indent=2)


def _finished(end: Summary, run: RunFacts) -> tuple[str, str]:
    """Sign and sentence of a run that came to its end."""
    sums, rows = end.shown, counted(end.shown.rows, "image")
    refused = [job.id for job in end.jobs if job.state in (JobState.FAILED, JobState.LOST)]
    if refused and end.exit_code is ExitCode.REFUSED:  # else all was found or sent again
        ids = ", ".join(refused[:3]) + (" …" if len(refused) > 3 else "")
        return "✗", f"{counted(len(refused), 'job')} failed as a whole or got lost: {ids}"
    if not end.jobs and not sums.failed and not sums.invalid and not end.totals.unsubmitted:
        return "✓", _nothing(end, run)
    if not end.jobs:
        return "✗", f"nothing new to send, but {_bad(sums)}"
    if sums.pending and not run.waited:
        return "…", f"{_sent(end)}, not waiting for the results"
    left = 0 if end.plan is None else end.plan.left_out
    rest = f"; {counted(left, 'row')} left: the rest was not sent (--limit)" if left else ""
    if sums.failed or sums.invalid:
        return "✗", f"finished, {_bad(sums)}{rest}"
    waived = f"; {number(sums.waived)} failed and waived: done" if sums.waived else ""
    return "✓", f"{number(sums.success + sums.skipped)} of {rows} arrived{waived}{rest}"


def _nothing(end: Summary, run: RunFacts) -> str:
    if end.plan is None:
        return "Nothing to do: no job is running"
    place = f"the {end.plan.target}" if run.local else end.plan.target
    rows, waived = end.totals.rows, end.totals.waived
    if waived:
        there = f"{number(rows - waived)} of {counted(rows, 'entry')} are in {place}, unchanged"
        return f"Nothing to send: {there}; {number(waived)} failed and waived: done"
    return f"Nothing to send: all {counted(rows, 'entry')} are in {place}, unchanged"


def _bad(sums: Totals) -> str:
    parts = []
    if sums.failed:
        parts.append(f"{number(sums.failed)} of {counted(sums.rows, 'image')} failed")
    if sums.invalid:
        parts.append(f"{counted(sums.invalid, 'row')} with errors not sent")
    return " and ".join(parts)


def _sent(end: Summary) -> str:
    gone = sum(job.counts.pending for job in end.jobs if job.state is JobState.LOST)
    mine = sum(job.counts.total for job in end.jobs) - gone
    if end.plan is None:
        return f"{counted(mine, 'image')} under way"
    known = end.plan.to_send + end.plan.in_progress  # earlier runs' jobs are followed too
    return f"{number(mine)} of {number(max(mine, known))} sent"


def _what_goes_on(screen: Screen, end: Summary, run: RunFacts) -> None:
    running = sum(not job.state.finished for job in end.jobs)
    if run.local and (running or end.totals.pending):
        who = (
            "Its other workers are at work on it" if run.workers else "Nobody is at work on it now"
        )
        screen.line(f"  The rest waits in the local engine. {who}.", indent=2)
    elif running:
        goes, them = ("goes", "it") if running == 1 else ("go", "them")
        text = f"  {counted(running, 'job')} {goes} on at the target without us."
        screen.line(f"{text} Nobody follows {them} here now.", indent=2)


def _room(screen: Screen, error: QuotaError, run: RunFacts) -> None:
    text = quota.room(error, run.now, here=screen.stream.tty)
    unknown = "When there is room again the target does not say."
    screen.line(f"  {text or unknown}", indent=2)


def _with_state(stopped: LdimportError, end: Summary) -> LdimportError:
    """The error with what it means for the images: ``state safe`` whenever something was sent."""
    if end.plan is not None or end.jobs:
        waiting = end.totals.unsubmitted
        text = f"safe: {_sent(end)}" + (f", {number(waiting)} waiting" if waiting else "")
        stopped.facts.setdefault("state", text)
    return stopped


def next_steps(end: Summary, run: RunFacts) -> list[Hint]:
    """What to do next, the most useful first."""
    hints: list[Hint] = []
    sums = end.totals
    if end.stopped is not None or sums.unsubmitted:
        hints.append((f"ldimport {run.command}", "goes on where it stopped"))
    if any(not job.state.finished for job in end.jobs):
        hints.append((run.next("watch"), "follows the jobs until they end"))
    if sums.failed > end.ahead.failed:
        every = "every failure with row, id, url and reason"
        hints.append((run.next("results", "--failed"), every))
        can = sum(row.images for row in end.causes if row.retryable)
        if can and not end.ahead.failed:
            hints.append((run.next("retry"), f"send failed images again; {number(can)} may work"))
        for row in end.causes if run.local else ():
            host = row.parameters.get("host")
            if way := way_out(row.cause, f"http://{host}" if host else None):
                words, why = way
                hints.append((run.next(*words), why))
    if sums.invalid and run.command.startswith("submit"):
        hints.append((f"ldimport validate {run.arguments}", "what is wrong with the rows not sent"))
    if end.jobs and not hints:
        hints.append((run.next("results"), "media id of every image"))
        hints.append((run.next("status"), "all jobs"))
    once: dict[str, Hint] = {}
    for hint in hints:
        once.setdefault(hint[0], hint)
    return list(once.values())
