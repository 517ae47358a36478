"""``ldimport serve``: the local engine over HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, cast

import typer

from ldimport import __version__
from ldimport.cli import options
from ldimport.cli.command import Command
from ldimport.cli.output import served
from ldimport.cli.output.text import utc
from ldimport.cli.serving import Runner, Serving, runner
from ldimport.cli.session import Session, tilde
from ldimport.errors import ExitCode, Terminated
from ldimport.model import Integrity, Json

Host = Annotated[str, typer.Option("--host", metavar="ADDRESS", help="listen here")]
Port = Annotated[
    int, typer.Option("--port", min=0, max=65_535, metavar="N", help="0 = any free one")
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=0, metavar="N", help="processes; 0: only the API"),
]
DailyLimit = Annotated[
    int, typer.Option("--daily-limit", min=0, metavar="N", help="images in 24 h; 0 = no limit")
]
Dialect = Annotated[
    str | None,
    typer.Option("--dialect", metavar="seed|2025-03|2026-08", help="whatever the path says"),
]
PublicUrl = Annotated[
    str | None, typer.Option("--public-url", metavar="URL", help="address in answers")
]


def serve(
    context: typer.Context,
    engine: options.EngineOptions,
    host: Host = ("127.0.0.1"),
    port: Port = 9095,
    workers: Workers = None,
    daily_limit: DailyLimit = 0,
    dialect: Dialect = None,
    public_url: PublicUrl = None,
) -> ExitCode:
    """Serve the local engine over HTTP, with the import API of Livingdocs.

    A token in LDIMPORT_SERVE_TOKEN has all scopes for this run.
    """
    session = Session.of(context)
    settings = session.settings()
    server = runner()
    serving = Serving(
        settings.engine,
        settings.project_config,
        host,
        port,
        workers,
        daily_limit,
        dialect,
        public_url,
        session.environ.get("LDIMPORT_SERVE_TOKEN"),
        settings.allow_hosts,
        (engine.integrity or Integrity.FULL).value,
        session.options.verbose > 0,
    )
    return _carry_out(session, server, serving)


def _carry_out(session: Session, server: Runner, serving: Serving) -> ExitCode:
    code, teller = ExitCode.OK, _Teller(session, serving)
    try:
        server.run(serving, teller.told)
    except Terminated:
        code = ExitCode.OK
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    if session.options.json:
        session.document({"type": "summary", "format": 1, "exitCode": int(code)})
    elif not session.options.quiet:
        served.stopped(session.notes, teller.open_jobs)
    return code


class _Teller:
    """Shows what the server tells: JSON Lines, or a banner and a line each. ``open_jobs`` is what
    was left when it stopped."""

    def __init__(self, session: Session, serving: Serving) -> None:
        self.open_jobs = 0
        self._session = session
        self._serving = serving
        self._url = ""

    def told(self, kind: str, facts: Mapping[str, Json]) -> None:
        """One event."""
        session = self._session
        if kind == "listening":
            self._url = str(facts["url"])
        if kind == "stopped":
            self.open_jobs = cast("int", facts["openJobs"])
        if session.options.json:
            at = {} if kind == "listening" else {"at": utc(session.now())}
            session.document({"type": kind, "format": 1, **facts, **at})
        if kind == "engine":
            self._begun(facts)
        elif not session.options.json and not session.options.quiet:
            served.happened(session.notes, session.now(), kind, facts)

    def _begun(self, about: Mapping[str, Json]) -> None:
        session, serving = self._session, self._serving
        names = cast("list[str]", about["tokens"])
        if not session.options.json:
            own = serving.project_config
            served.banner(
                session.screen,
                __version__,
                self._url,
                served.token_hint(serving.token, names),
                "built in" if own is None else tilde(own),
                {**about, "place": tilde(serving.engine)},
                _allowed(serving.allow_hosts),
            )
        if serving.token is None and not names:
            session.notes.line(("!", "yellow"), " there is no token: every request is refused",
                               indent=2)  # fmt: skip
            session.notes.hint("ldimport token create NAME", "prints one; it counts at once")


def _allowed(hosts: Sequence[str]) -> str:
    only = "only public addresses are fetched"
    return f"{only}, and {', '.join(hosts)}" if hosts else only


COMMAND = Command(
    "serve",
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
