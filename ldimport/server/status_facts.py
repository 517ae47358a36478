"""What the command line is told of each event: a word, and its facts in camelCase."""

from __future__ import annotations

from ldimport.engine import Engine
from ldimport.engine.following import JobChange
from ldimport.engine.webhooks import DeliveryAttempt
from ldimport.engine.worker_pool import cores
from ldimport.model import Json
from ldimport.server.options import Listening, Request, ServeEvent, Stopped, WorkersPaused

Fact = tuple[str, dict[str, Json]]


def about(engine: Engine, workers: int | None, now: float) -> Fact:
    """What is served: the folder, what it holds and obeys, and whose tokens are let in."""
    images, size = engine.holdings()
    kept = [each for each in engine.tokens.all() if each.revoked_at is None]
    return "engine", {
        "folder": str(engine.folder),
        "mediaTypes": list(engine.config.media_types),
        "images": images,
        "bytes": size,
        "tokens": [e.name for e in kept if e.expires_at is None or e.expires_at > now],
        "workers": cores() if workers is None else workers,
        "dailyLimit": engine.daily_limit,
    }


def told_of(event: ServeEvent, *, polls: bool = False) -> Fact | None:
    """The word and the facts; None for what happens all the time, unless ``polls``: somebody
    asks for a state."""
    match event:
        case Listening():
            return "listening", {"url": event.url, "port": event.port}
        case Request():
            return None if _is_poll(event) and not polls else ("request", _request(event))
        case JobChange():
            return "job", _job(event)
        case DeliveryAttempt():
            return "webhook", _webhook(event)
        case WorkersPaused():
            return "workers", {"state": "paused", "why": event.why, "seconds": event.seconds}
        case Stopped():
            return "stopped", {"openJobs": event.open_jobs}


def _is_poll(request: Request) -> bool:
    quiet = request.path.endswith(("/import/images/status", "/health"))
    return quiet and request.method == "GET" and request.status == 200


def _request(event: Request) -> dict[str, Json]:
    return {
        "method": event.method,
        "path": event.path,
        "status": event.status,
        "milliseconds": round(event.seconds * 1e3, 1),
        "note": event.note,
    }


def _job(event: JobChange) -> dict[str, Json]:
    counts = event.counts
    return {
        "id": event.id,
        "state": event.state.value,
        "images": counts.total,
        "success": counts.success,
        "skipped": counts.skipped,
        "failed": counts.failed,
        "seconds": round(event.seconds, 3),
    }


def _webhook(event: DeliveryAttempt) -> dict[str, Json]:
    return {
        "job": event.job,
        "url": event.url,
        "status": event.status,
        "milliseconds": round(event.seconds * 1e3, 1),
        "note": event.note,
    }
