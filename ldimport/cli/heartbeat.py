"""A command that tells a watchdog of its start and its end (``--heartbeat``)."""

from collections.abc import Callable
from typing import Any

from ldimport.cli.session import Session
from ldimport.errors import ExitCode, LdimportError
from ldimport.heartbeat import Heartbeat
from ldimport.migration.events import Summary
from ldimport.system import DISK, scarce
from ldimport.wording import clean, number


def beating(session: Session, command: Callable[[], Any]) -> Any:
    """Carry out a command; a service is told that it began, once it has the state file, and how it
    ended, however that is."""
    settings = session.settings
    if settings.heartbeat is None:
        return command()
    beat = Heartbeat(settings.heartbeat, settings.job_options.ca_file)
    session.begun = beat.start
    try:
        code = command()
    except BaseException as error:
        _end(session, beat, _code_of(error), error)
        raise
    _end(session, beat, code if isinstance(code, int) else ExitCode.OK, None)
    return code


def _end(session: Session, beat: Heartbeat, code: int, error: BaseException | None) -> None:
    beat.end(code, _line(session, code, error))
    if beat.trouble is not None and session.options.quiet < 2:
        session.notes.say("!", f"the heartbeat did not arrive: {beat.trouble}; the run is as it is")


def _code_of(error: BaseException) -> int:
    """The exit code that an error leads to, as ``cli.run`` has it."""
    if isinstance(error, BrokenPipeError):
        return ExitCode.OK
    if isinstance(error, KeyboardInterrupt):
        return getattr(error, "exit_code", ExitCode.INTERRUPTED)
    if isinstance(error, LdimportError):
        return error.exit_code
    if isinstance(error, PermissionError):
        return ExitCode.CONFIG
    short = scarce(error) or (isinstance(error, OSError) and error.errno in DISK)
    return ExitCode.TEMPORARY if short else ExitCode.BUG


def _line(session: Session, code: int, error: BaseException | None) -> str:
    """The run in one line: command, exit code, what stopped it, its images."""
    told = [f"ldimport {' '.join(session.words)}: exit {code:d}, {ExitCode(code).word}"]
    end = session.ended
    why = error if isinstance(error, LdimportError) else end and end.stopped
    if isinstance(why, LdimportError):
        told.append(why.message)
    if end is not None and (sums := _sums(end)):
        told.append(sums)
    return clean("; ".join(told))


def _sums(end: Summary) -> str:
    totals = end.totals
    sums = {
        "success": totals.success,
        "skipped": totals.skipped,
        "failed": totals.failed,
        "waived": totals.waived,
        "under way": totals.pending,
        "not sent": totals.unsubmitted,
    }
    return ", ".join(f"{number(count)} {word}" for word, count in sums.items() if count)
