"""What is told while an engine is served, from several threads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ldimport.engine.records import JobChange
from ldimport.engine.webhooks import DeliveryAttempt


@dataclass(frozen=True, slots=True)
class Listening:
    """The port answers; ``url`` is where."""

    url: str
    port: int


@dataclass(frozen=True, slots=True)
class EngineServed:
    """What is served: the folder, what it holds and obeys, and whose tokens are let in."""

    folder: Path
    media_types: tuple[str, ...]
    images: int
    bytes: int
    tokens: tuple[str, ...]
    workers: int
    daily_limit: int


@dataclass(frozen=True, slots=True)
class RequestAnswered:
    """A request was answered. ``path`` has no query string; ``note`` says what came of it."""

    method: str
    path: str
    status: int
    seconds: float
    note: str = ""

    @property
    def is_poll(self) -> bool:
        """Whether it happens all the time: somebody asked for a state, and was told."""
        quiet = self.path.endswith(("/import/images/status", "/health"))
        return quiet and self.method == "GET" and self.status == 200


@dataclass(frozen=True, slots=True)
class WorkersPaused:
    """No image is carried out for ``seconds``, because of ``why``; then workers begin again."""

    why: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Stopped:
    """The server has ended in order; ``open_jobs`` go on at the next start."""

    open_jobs: int


ServeEvent = (
    Listening
    | EngineServed
    | RequestAnswered
    | JobChange
    | DeliveryAttempt
    | WorkersPaused
    | Stopped
)
OnEvent = Callable[[ServeEvent], None]
