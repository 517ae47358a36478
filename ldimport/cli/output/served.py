"""The screen of ``serve``: what is served, then a line for everything that happens; or the same
events as documents."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from ldimport import wire
from ldimport.cli.output.documents import FORMAT, Document, fields_of
from ldimport.cli.output.screen import Part, Screen
from ldimport.credentials import Secret
from ldimport.engine.records import JobChange
from ldimport.engine.webhooks import DeliveryAttempt
from ldimport.model import Counts, JobState
from ldimport.server.contract import (
    EngineServed,
    Listening,
    Notified,
    RequestAnswered,
    ServeEvent,
    ServeOptions,
    Stopped,
    WorkersPaused,
)
from ldimport.wording import counted, duration, number, size, utc

_KINDS: dict[type[ServeEvent], str] = {
    Listening: "listening", EngineServed: "engine", RequestAnswered: "request", JobChange: "job",
    DeliveryAttempt: "webhook", WorkersPaused: "workers", Stopped: "stopped",
    Notified: "notification",
}  # fmt: skip


def document(event: ServeEvent, now: float) -> Document:
    """One line of JSON."""
    facts = fields_of(event)
    match event:
        case EngineServed():
            facts["folder"] = str(event.folder)
        case RequestAnswered() | DeliveryAttempt():
            facts["milliseconds"] = round(facts.pop("seconds") * 1e3, 1)
        case JobChange():
            counts = wire.counts_to_json(event.counts)
            del counts["pending"]
            facts = {"id": event.id, "state": event.state, "images": counts.pop("total"), **counts}
            facts["seconds"] = round(event.seconds, 3)
        case WorkersPaused():
            facts = {"state": "paused", **facts}
        case Notified(hint, again):
            facts = {"job": hint.job, "state": hint.state, **_told(hint.counts), "again": again}
            facts |= {"batch": hint.batch}
    at = {} if isinstance(event, Listening) else {"at": utc(now)}
    return {"type": _KINDS[type(event)], "format": FORMAT, **facts, **at}


def _told(counts: Counts | None) -> Document:
    """What a notification said of the images; null where it did not."""
    names = ("success", "skipped", "failed")
    return {name: counts and getattr(counts, name) for name in names}


def banner(screen: Screen, version: str, url: str, served: EngineServed, options: ServeOptions,
           shown: Callable[[Path], str], worker: str = "ldimport worker") -> None:  # fmt: skip
    """What is served and to whom; ``shown`` says how a path is written, ``worker`` is the command
    that works on this engine."""
    screen.line((f"ldimport {version}", "bold"), "  local import engine   Ctrl-C stops; "
                "nothing is lost", indent=2)  # fmt: skip
    screen.blank()
    limit, workers = served.daily_limit, served.workers
    quota = f"{number(limit)} images in 24 h" if limit else "no quota"
    crew = counted(workers, "worker") if workers else f"no workers: {worker} does the work"
    reach = "only public addresses are fetched"
    if options.job.allow_hosts:
        reach += f", and {', '.join(options.job.allow_hosts)}"
    reach += "; lenient: only the shape of metadata counts" if options.job.lenient else ""
    config = "built in" if options.project_config is None else shown(options.project_config)
    place = shown(options.engine)
    screen.facts(
        {
            "pages": f"{url.rstrip('/')}/",
            "API": f"{url.rstrip('/')}/api/v1/import/images",
            "token": token_hint(options.token, served.tokens),
            "config": f"{config} · {', '.join(served.media_types)}",
            "data": f"{place} · {counted(served.images, 'image')} · {size(served.bytes)}",
            "limits": f"{quota} · {crew} · {reach}",
        }
    )
    screen.blank()


def token_hint(token: Secret | None, names: tuple[str, ...]) -> str:
    """Which tokens are let in: the ends of the one for this run, the names of the others."""
    shown = []
    if token is not None:
        text = token.reveal()
        ends = f"{text[:4]}…{text[-4:]}" if len(text) >= 16 else "********"
        shown.append(f"{ends} from LDIMPORT_SERVE_TOKEN")
    shown += names[:3]
    if len(names) > 3:
        shown.append(f"{number(len(names) - 3)} more")
    return ", ".join(shown) or "none: nobody can send an image"


def happened(screen: Screen, now: float, event: ServeEvent) -> None:
    """One line: local time on a terminal, UTC elsewhere."""
    tty = screen.stream.tty
    if line := _line(event, "→ " if tty else ""):
        at = f"{datetime.fromtimestamp(now):%H:%M:%S}" if tty else utc(now)
        screen.verbatim(f"{at}  ", *line)


def _line(event: ServeEvent, arrow: str) -> tuple[Part, ...]:
    match event:
        case RequestAnswered():
            words = f"{event.method:<5}{event.path:<35}"
            status = (str(event.status), "yellow" if event.status >= 400 else "")
            return words, status, f"{event.seconds * 1e3:>6.0f} ms  {event.note}"
        case JobChange():
            return _job(event)
        case Notified():
            return _notified(event)
        case DeliveryAttempt():
            words = "no answer" if event.status is None else str(event.status)
            return (
                f"hook {event.job}  {arrow}{event.url}   ",
                (words, "yellow" if event.note else ""),
                f"   {event.seconds * 1e3:.0f} ms  {event.note}",
            )
        case WorkersPaused():
            return ("workers pause", "yellow"), f" for {duration(event.seconds)}: {event.why}"
        case _:
            return ()


def _job(job: JobChange) -> tuple[Part, ...]:
    head, counts = f"job  {job.id}  ", job.counts
    if job.state is JobState.STARTED:
        return head, f"started, {counted(counts.total, 'image')}"
    if job.state is not JobState.SUCCESS:
        return head, ("✗", "red"), f" {job.state} as a whole"
    sign = ("✗", "red") if counts.failed else ("✓", "green")
    words = ("imported", "skipped", "failed")
    sums = zip((counts.success, counts.skipped, counts.failed), words, strict=True)
    shown = " · ".join(f"{number(count)} {word}" for count, word in sums)
    return head, sign, f" {shown}   {duration(job.seconds)}"


def _notified(event: Notified) -> tuple[Part, ...]:
    """A notification: the job, its state, and its images where it told them."""
    hint, counts = event.hint, event.hint.counts
    bad = hint.state != JobState.SUCCESS or bool(counts and counts.failed)
    sums = () if counts is None else (
        (counts.success, "ok"), (counts.skipped, "skipped"), (counts.failed, "failed")
    )  # fmt: skip
    shown = ", ".join(f"{number(count)} {word}" for count, word in sums if count)
    again = "   (again)" if event.again else ""
    return f"{hint.job}  ", (hint.state, "yellow" if bad else "green"), f"  {shown}{again}"


def stopped(screen: Screen, open_jobs: int) -> None:
    """The last line."""
    rest = (
        f" {counted(open_jobs, 'job')} {'goes' if open_jobs == 1 else 'go'} on at the next start."
    )
    screen.line(("■", "yellow"), f" Stopped.{rest if open_jobs else ''}", indent=2)
