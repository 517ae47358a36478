"""``ldimport serve``: the local engine over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from ldimport.cli import options
from ldimport.cli.output.text import clean, utc
from ldimport.cli.serving import Serving, Told, runner
from ldimport.cli.session import Session, tilde
from ldimport.cli.spec import Command
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
    host: Host = ("127.0.0.1"),
    port: Port = 9095,
    workers: Workers = None,
    daily_limit: DailyLimit = 0,
    dialect: Dialect = None,
    public_url: PublicUrl = None,
    allow_host: options.AllowHost = None,
    integrity: options.IntegrityDepth = None,
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
        (integrity or Integrity.FULL).value,
    )
    code = ExitCode.OK
    try:
        server.run(serving, _teller(session, serving))
    except Terminated:
        code = ExitCode.OK
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    if session.options.json:
        session.document({"type": "summary", "format": 1, "exitCode": int(code)})
    elif not session.options.quiet:
        session.notes.line(("■", "yellow"), " Stopped. Open images go on at the next start.")
    return code


def _teller(session: Session, serving: Serving) -> Told:
    def as_json(kind: str, facts: Mapping[str, Json]) -> None:
        at = {} if kind == "listening" else {"at": utc(session.now())}
        session.document({"type": kind, "format": 1, **facts, **at})

    def as_lines(kind: str, facts: Mapping[str, Json]) -> None:
        if kind == "listening":
            _banner(session, serving, facts)
        elif not session.options.quiet:
            text = "  ".join(f"{value}" for value in facts.values() if value is not None)
            session.err.line(f"{utc(session.now())} {kind:<8} {clean(text)}")

    return as_json if session.options.json else as_lines


def _banner(session: Session, serving: Serving, facts: Mapping[str, Json]) -> None:
    from ldimport import __version__

    screen, url = session.screen, str(facts.get("url", ""))
    screen.line((f"ldimport {__version__}", "bold"), "  local import engine   Ctrl-C stops; "
                "nothing is lost", indent=2)  # fmt: skip
    screen.blank()
    config = (
        "the default media type"
        if serving.project_config is None
        else (str(serving.project_config))
    )
    quota = f"{serving.daily_limit:,} images in 24 h" if serving.daily_limit else "no quota"
    allowed = ", ".join(serving.allow_hosts) or "only public addresses are fetched"
    screen.facts(
        {
            "API": f"{url.rstrip('/')}/api/v1/import/images",
            "config": config,
            "data": tilde(serving.engine),
            "limits": f"{quota} · {allowed}",
        }
    )
    screen.blank()


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
