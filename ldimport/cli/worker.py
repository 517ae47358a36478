"""``ldimport worker``: carry out open images of a local engine, beside ``serve``."""

import time

from ldimport import __version__
from ldimport.cli.command import Command
from ldimport.cli.interrupt import ends_in_order
from ldimport.cli.output.documents import start
from ldimport.cli.session import Session, tilde
from ldimport.engine import Engine
from ldimport.errors import ExitCode, Terminated, UsageError
from ldimport.wording import utc

LOOK = 0.2
"""Seconds between two looks at what the workers came to."""


def worker(session: Session, workers: int | None = None) -> ExitCode:
    """Carry out open images of the engine in --engine until stopped; jobs that come are begun
    at once."""
    settings = session.settings
    if not settings.embedded:
        raise UsageError("worker is for the local engine", hint="leave --target out")
    json = session.options.json
    if json:
        begun = start("worker", __version__, session.now())
        session.document({**begun, "engine": str(settings.engine)})
    elif not session.options.quiet:
        session.notes.line(f"working on the local engine in {tilde(settings.engine)}   "
                           "Ctrl-C stops; nothing is lost", indent=2)  # fmt: skip
    code = ExitCode.OK
    with Engine(settings.engine) as engine, ends_in_order(lambda: None):
        try:
            with engine.working(workers):
                while True:
                    engine.check_workers()
                    time.sleep(LOOK)
        except KeyboardInterrupt as end:
            code = ExitCode.OK if isinstance(end, Terminated) else ExitCode.INTERRUPTED
        open_ = engine.has_open()
    if json:
        stopped = {"type": "summary", "format": 1, "at": utc(session.now())}
        session.document({**stopped, "imagesOpen": open_, "exitCode": int(code)})
    elif not session.options.quiet:
        rest = "; open images go on at the next start" if open_ else ""
        session.notes.say("■", f"Stopped{rest}.")
    return code


COMMAND = Command(
    worker,
    ("ldimport worker --engine ./engine --workers 4",),
    {
        ExitCode.OK: "ended by SIGTERM",
        ExitCode.USAGE: "",
        ExitCode.CONFIG: "the folder is no engine's",
        ExitCode.TEMPORARY: "",
        ExitCode.INTERRUPTED: "ended by Ctrl-C; nothing is lost",
    },
)
