"""What commands that listen have in common: the server's parts, how they end, what they tell."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ldimport.cli.output import served
from ldimport.cli.session import Session
from ldimport.errors import ConfigError, ExitCode, Terminated, how_to_install
from ldimport.server.contract import Listening, RequestAnswered, ServeEvent
from ldimport.system import scarce


@contextmanager
def server_parts(command: str) -> Iterator[None]:
    """Inside, what needs the extra ``server`` is imported. Raises ConfigError where it is not
    installed."""
    try:
        yield
    except ImportError as error:
        text = f"ldimport {command} needs the server parts"
        hint = how_to_install("server")
        raise scarce(error) or ConfigError(text, hint=hint, code="missing-extra") from error


def until_ended(run: Callable[[], None]) -> ExitCode:
    """Run what ends by a signal: 0 after SIGTERM, 130 after Ctrl-C."""
    try:
        run()
    except KeyboardInterrupt as end:
        return ExitCode.OK if isinstance(end, Terminated) else ExitCode.INTERRUPTED
    return ExitCode.OK


def ended(session: Session, code: ExitCode, open_jobs: int = 0) -> None:
    """The last line, as JSON or for people."""
    if session.options.json:
        session.document({"type": "summary", "format": 1, "exitCode": int(code)})
    elif not session.options.quiet:
        served.stopped(session.notes, open_jobs)


@dataclass
class ListeningScreen:
    """Shows what a server tells: JSON Lines, or what ``begun`` says once it listens, and the
    requests that were refused; all of them with ``-v``."""

    session: Session
    begun: Callable[[Listening], None]

    def __call__(self, event: ServeEvent) -> None:
        """One event."""
        session = self.session
        fine = isinstance(event, RequestAnswered) and event.status < 400
        if fine and not session.options.verbose:
            return
        if session.options.json:
            session.document(served.document(event, session.now()))
        elif not session.options.quiet:
            served.happened(session.notes, session.now(), event)
        if isinstance(event, Listening):
            self.begun(event)
