"""What a server obeys, settled by the command line, and what it tells, from several threads."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ldimport.credentials import Secret
from ldimport.engine.records import JobChange
from ldimport.engine.webhooks import DeliveryAttempt
from ldimport.model import (
    MAX_BODY_BYTES,
    RENDITION_BYTES,
    JobHint,
    JobOptions,
    Limits,
    Variants,
)
from ldimport.wire import Dialect

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 9095
LISTEN_PORT = 9096
UI_PORT = 9097


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOptions:
    """Where a server listens, and what it takes of a client: sizes in bytes, times in seconds.

    ``port`` 0 takes any free one. ``header_seconds`` for the head of a request, ``body_seconds``
    for its body, ``write_seconds`` for a client to take 64 kB of an answer, ``idle_seconds``
    between two requests, ``grace_seconds`` for requests under way at the end. ``secrets`` are those
    of webhooks."""

    secrets: tuple[str, ...] = field(default=(), repr=False)
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    body_limit: int = MAX_BODY_BYTES
    header_limit: int = 65_536
    header_seconds: float = 20.0
    body_seconds: float = 60.0
    idle_seconds: float = 30.0
    grace_seconds: float = 10.0
    write_seconds: float = 20.0
    connections: int = 1_000


@dataclass(frozen=True, slots=True)
class ServeOptions(HttpOptions):
    """The engine to serve, and how.

    ``job`` is how images are treated where a request does not say it. ``project_config`` None is
    the documented default; ``daily_limit`` 0 is none; ``workers`` None is one per core, 0 serves
    the API alone; ``dialect`` None follows the API version of each request; ``public_url`` None is
    the address really listened on; for ``variants``, ``key_in_results`` and
    ``rendition_bytes`` see ``Engine``; ``token`` has all scopes for this run.
    """

    engine: Path
    project_config: Path | None = None
    job: JobOptions = field(default_factory=JobOptions)
    limits: Limits = field(default_factory=Limits)
    daily_limit: int = 0
    workers: int | None = None
    dialect: Dialect | None = None
    public_url: str | None = None
    variants: Variants = Variants.FORMAT
    key_in_results: bool = False
    rendition_bytes: int = RENDITION_BYTES
    token: Secret | None = None


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
        """Whether it happens all the time: somebody asked for a state or a page, was told, and that
        is all that can be said."""
        state = self.path.endswith(("/import/images/status", "/health"))
        quiet = (state or "/api/" not in self.path) and not self.note and self.method == "GET"
        return quiet and self.status in (200, 304)


@dataclass(frozen=True, slots=True)
class WorkersPaused:
    """No image is carried out for ``seconds``, because of ``why``; then workers begin again."""

    why: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Stopped:
    """The server has ended in order; ``open_jobs`` go on at the next start."""

    open_jobs: int


@dataclass(frozen=True, slots=True)
class Notified:
    """A notification was taken down; ``again``: it was known."""

    hint: JobHint
    again: bool


ServeEvent = (
    Listening
    | EngineServed
    | RequestAnswered
    | JobChange
    | DeliveryAttempt
    | WorkersPaused
    | Stopped
    | Notified
)
OnEvent = Callable[[ServeEvent], None]
