"""``ldimport ui``: the state file and the local engine as pages, on this machine alone."""

import sys
import webbrowser

from ldimport.cli.command import Command
from ldimport.cli.listening import ListeningScreen, ended, server_parts, until_ended
from ldimport.cli.options import quota_rules
from ldimport.cli.output.board import Board
from ldimport.cli.run import clean_logs
from ldimport.cli.session import Session, tilde
from ldimport.engine.store import exists
from ldimport.errors import ExitCode
from ldimport.server.contract import (
    UI_PORT,
    Listening,
    ServeOptions,
)


def ui(session: Session, port: int = UI_PORT, no_open: bool = False) -> ExitCode:
    """Show archives, jobs and the library of the local engine in a browser; nothing is changed.

    On this machine alone, without a token. Pages are made as they are asked for, of the state file
    and of the engine's folder, while other commands are at work too.
    """
    settings = session.settings
    with server_parts("ui"):
        from ldimport.server.viewer import run_viewer
    clean_logs()
    chosen = ServeOptions(settings.engine, port=port, workers=0)
    board = Board(
        lambda: session.migration(write=False),
        session.next_command,
        quota_rules(settings),
        session.now,
    )
    opens = not no_open and _can_open(session)
    screen = ListeningScreen(session, lambda event: _begun(session, event, opens=opens))
    code = until_ended(lambda: run_viewer(chosen, board, screen))
    ended(session, code)
    return code


def _can_open(session: Session) -> bool:
    """Whether somebody sits before a screen on which a browser has a window of its own; one of a
    terminal would take its place."""
    windows = any(session.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    windows = windows or sys.platform in ("darwin", "win32")
    return session.out.tty and session.chatty and windows and not session.environ.get("CI")


def _begun(session: Session, event: Listening, *, opens: bool) -> None:
    settings = session.settings
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
    if opens:
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
