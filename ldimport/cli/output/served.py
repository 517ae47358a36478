"""The screen of ``serve``: what is served, then a line for everything that happens; or the same
events as documents."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ldimport import wire
from ldimport.cli.output.documents import FORMAT, Document, fields_of
from ldimport.cli.output.screen import Part, Screen
from ldimport.cli.output.text import counted, duration, number, size, utc
from ldimport.engine.records import JobChange
from ldimport.engine.webhooks import DeliveryAttempt
from ldimport.model import JobState
from ldimport.server.contract import (
    EngineServed,
    Listening,
    RequestAnswered,
    ServeEvent,
    Stopped,
    WorkersPaused,
)


def document(event: ServeEvent, now: float) -> Document:
    """One line of JSON."""
    kind, facts = _facts(event)
    at = {} if kind == "listening" else {"at": utc(now)}
    return {"type": kind, "format": FORMAT, **facts, **at}


def _facts(event: ServeEvent) -> tuple[str, Document]:
    facts = fields_of(event)
    match event:
        case Listening():
            return "listening", facts
        case EngineServed():
            return "engine", {**facts, "folder": str(event.folder)}
        case RequestAnswered():
            return "request", _in_milliseconds(facts)
        case JobChange():
            counts = wire.counts_to_json(event.counts)
            del counts["pending"]
            facts = {"id": event.id, "state": event.state, "images": counts.pop("total"), **counts}
            return "job", {**facts, "seconds": round(event.seconds, 3)}
        case DeliveryAttempt():
            return "webhook", _in_milliseconds(facts)
        case WorkersPaused():
            return "workers", {"state": "paused", **facts}
        case Stopped():
            return "stopped", facts


def _in_milliseconds(facts: Document) -> Document:
    milliseconds = round(facts.pop("seconds") * 1e3, 1)
    return {**facts, "milliseconds": milliseconds}


def banner(screen: Screen, version: str, url: str, token: str, config: str, place: str,
           served: EngineServed, allow_hosts: Sequence[str]) -> None:  # fmt: skip
    """What is served and to whom. ``token`` is the hint of a token, ``config`` where the project
    config comes from, ``place`` how the engine's folder is written."""
    screen.line((f"ldimport {version}", "bold"), "  local import engine   Ctrl-C stops; "
                "nothing is lost", indent=2)  # fmt: skip
    screen.blank()
    limit, workers = served.daily_limit, served.workers
    quota = f"{number(limit)} images in 24 h" if limit else "no quota"
    crew = counted(workers, "worker") if workers else "no workers: ldimport worker does the work"
    reach = "only public addresses are fetched"
    if allow_hosts:
        reach += f", and {', '.join(allow_hosts)}"
    screen.facts(
        {
            "API": f"{url.rstrip('/')}/api/v1/import/images",
            "token": token,
            "config": f"{config} · {', '.join(served.media_types)}",
            "data": f"{place} · {counted(served.images, 'image')} · {size(served.bytes)}",
            "limits": f"{quota} · {crew} · {reach}",
        }
    )
    screen.blank()


def token_hint(text: str | None, names: tuple[str, ...]) -> str:
    """Which tokens are let in: the ends of the one for this run, the names of the others."""
    shown = []
    if text is not None:
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


def stopped(screen: Screen, open_jobs: int) -> None:
    """The last line."""
    rest = (
        f" {counted(open_jobs, 'job')} {'goes' if open_jobs == 1 else 'go'} on at the next start."
    )
    screen.line(("■", "yellow"), f" Stopped.{rest if open_jobs else ''}", indent=2)
