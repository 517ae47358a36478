"""``ldimport ui``: the state file and the local engine as pages, on this machine alone."""

import sys
import webbrowser
from dataclasses import dataclass

from ldimport.cli.command import Command
from ldimport.cli.options import quota_rules
from ldimport.cli.output import served
from ldimport.cli.output.board import Board
from ldimport.cli.run import clean_logs
from ldimport.cli.session import Session, tilde
from ldimport.engine.store import exists
from ldimport.errors import ConfigError, ExitCode, Terminated, how_to_install
from ldimport.server.contract import (
    UI_PORT,
    Listening,
    RequestAnswered,
    ServeEvent,
    ServeOptions,
)
from ldimport.system import scarce


def ui(session: Session, port: int = UI_PORT, no_open: bool = False) -> ExitCode:
    """Show archives, jobs and the library of the local engine in a browser; nothing is changed.

    On this machine alone, without a token. Pages are made as they are asked for, of the state file
    and of the engine's folder, while other commands are at work too.
    """
    settings = session.settings
    try:
        from ldimport.server.viewer import run_viewer
    except ImportError as error:
        text = "ldimport ui needs the server parts"
        hint = how_to_install("server")
        raise scarce(error) or ConfigError(text, hint=hint, code="missing-extra") from error
    clean_logs()
    chosen = ServeOptions(settings.engine, port=port, workers=0)
    board = Board(
        lambda: session.migration(write=False),
        session.next_command,
        quota_rules(settings),
        session.now,
    )
    code, screen = ExitCode.OK, _UiScreen(session, not no_open and _can_open(session))
    try:
        run_viewer(chosen, board, screen)
    except KeyboardInterrupt as end:
        code = ExitCode.OK if isinstance(end, Terminated) else ExitCode.INTERRUPTED
    if session.options.json:
        session.document({"type": "summary", "format": 1, "exitCode": int(code)})
    return code


def _can_open(session: Session) -> bool:
    """Whether somebody sits before a screen on which a browser has a window of its own; one of a
    terminal would take its place."""
    windows = any(session.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    windows = windows or sys.platform in ("darwin", "win32")
    return session.out.tty and session.chatty and windows and not session.environ.get("CI")


@dataclass
class _UiScreen:
    """Shows what the server tells: JSON Lines, or a banner; and opens the browser."""

    session: Session
    opens: bool

    def __call__(self, event: ServeEvent) -> None:
        """One event; of requests only those that were refused, all with ``-v``."""
        session = self.session
        fine = isinstance(event, RequestAnswered) and event.status < 400
        if fine and not session.options.verbose:
            return
        if session.options.json:
            session.document(served.document(event, session.now()))
        elif not session.options.quiet:
            served.happened(session.notes, session.now(), event)
        if isinstance(event, Listening):
            self._begun(event)

    def _begun(self, event: Listening) -> None:
        session, settings = self.session, self.session.settings
        if session.chatty:
            there = "" if exists(settings.engine) else " · nothing there yet"
            session.screen.facts(
                {
                    "pages": f"{event.url}/migration",
                    "state": tilde(settings.state),
                    "engine": f"{tilde(settings.engine)}{there}",
                }
            )
            session.screen.blank()
            session.notes.line("Ctrl-C ends it; nothing is changed", indent=2)
        if self.opens:
            webbrowser.open(f"{event.url}/migration")


COMMAND = Command(
    ui,
    ("ldimport ui", "ldimport ui --port 0 --json      for tests"),
    {
        ExitCode.OK: "ended by SIGTERM",
        ExitCode.USAGE: "",
        ExitCode.CONFIG: "port taken, server parts not installed",
        ExitCode.TEMPORARY: "",
        ExitCode.INTERRUPTED: "ended by Ctrl-C",
    },
)
