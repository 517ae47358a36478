"""``ldimport serve``: the local engine over HTTP."""

from dataclasses import dataclass, replace
from pathlib import Path

from ldimport import __version__
from ldimport.cli import options
from ldimport.cli.command import Command
from ldimport.cli.listening import ended, server_parts, until_ended
from ldimport.cli.output import served
from ldimport.cli.run import clean_logs
from ldimport.cli.session import Session, tilde
from ldimport.credentials import Secret
from ldimport.errors import ExitCode, UsageError
from ldimport.model import Integrity
from ldimport.server.contract import (
    DEFAULT_HOST,
    DEFAULT_PORT,
    EngineServed,
    Listening,
    RequestAnswered,
    ServeEvent,
    ServeOptions,
    Stopped,
)
from ldimport.url import is_loopback
from ldimport.wire import Dialect

TOKEN = "LDIMPORT_SERVE_TOKEN"  # noqa: S105  the name of a variable


def serve(
    session: Session,
    host: str = DEFAULT_HOST,
    port: int = DEFAULT_PORT,
    workers: int | None = None,
    daily_limit: int = 0,
    dialect: str | None = None,
    public_url: str | None = None,
    lenient: bool = False,
    profile_file: Path | None = None,
    *,
    engine: options.EngineOptions,
) -> ExitCode:
    """Serve the local engine over HTTP, with the import API of Livingdocs.

    How it treats images stands in the `engine:` block of ldimport.yaml, or in --profile-file.
    A token in LDIMPORT_SERVE_TOKEN has all scopes for this run.
    """
    settings, environ = session.settings, session.environ
    job = settings.job_options
    job = replace(job, lenient=lenient or job.lenient)
    chosen = ServeOptions(
        settings.engine,
        project_config=settings.project_config,
        job=replace(job, integrity=engine.integrity or Integrity.FULL),
        daily_limit=daily_limit,
        secrets=tuple(environ.get("LDIMPORT_WEBHOOK_SECRET", "").split()),
        host=host,
        port=port,
        workers=workers,
        dialect=_dialect(dialect),
        **settings.engine_options,
        body_limit=settings.max_body,
        token=Secret(environ[TOKEN], TOKEN) if TOKEN in environ else None,
    )
    with server_parts("serve"):
        from ldimport.server.run import run
    clean_logs()
    screen = _ServeScreen(session, chosen)
    code = until_ended(lambda: run(chosen, screen))
    ended(session, code, screen.open_jobs)
    return code


def _dialect(name: str | None) -> Dialect | None:
    if name is not None and name not in set(Dialect):
        raise UsageError(f"--dialect {name}: there are {', '.join(Dialect)}")
    return None if name is None else Dialect(name)


@dataclass
class _ServeScreen:
    """Shows what the server tells: JSON Lines, or a banner and a line each."""

    session: Session
    chosen: ServeOptions
    url: str = ""
    open_jobs: int = 0

    def __call__(self, event: ServeEvent) -> None:
        """One event; that somebody asked for a state is told with ``-v`` only."""
        session = self.session
        if isinstance(event, RequestAnswered) and event.is_poll and not session.options.verbose:
            return
        if session.options.json:
            session.document(served.document(event, session.now()))
        elif not session.options.quiet:
            served.happened(session.notes, session.now(), event)
        match event:
            case Listening():
                self.url = event.url
            case EngineServed():
                self._begun(event)
            case Stopped():
                self.open_jobs = event.open_jobs

    def _begun(self, engine: EngineServed) -> None:
        session, chosen = self.session, self.chosen
        host = f"[{chosen.host}]" if ":" in chosen.host else chosen.host
        if not is_loopback(f"http://{host}"):
            text = f"{chosen.host} may be reached from outside, without TLS: tokens travel readable"
            session.notes.say("!", text)
            session.notes.hint("--host 127.0.0.1", "and a proxy with TLS before it")
        if not session.options.json:
            worker = session.next_command("worker")
            served.banner(session.screen, __version__, self.url, engine, chosen, tilde, worker)
        if chosen.token is None and not engine.tokens:
            session.notes.say("!", "there is no token: every request is refused")
            create = session.next_command("token", "create", "NAME")
            session.notes.hint(create, "prints one; it counts at once")


COMMAND = Command(
    serve,
    (
        "ldimport serve --project-config project-config.json",
        "LDIMPORT_SERVE_TOKEN=test ldimport serve --port 0 --json      for tests",
    ),
    {
        ExitCode.OK: "ended by SIGTERM",
        ExitCode.USAGE: "",
        ExitCode.CONFIG: "port taken, server parts not installed, folder or config wrong",
        ExitCode.TEMPORARY: "",
        ExitCode.INTERRUPTED: "ended by Ctrl-C; nothing is lost",
    },
)
