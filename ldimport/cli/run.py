"""One call of the command line: streams, signals, the one printer of errors, the exit code."""

from __future__ import annotations

import gc
import io
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

from ldimport.cli.output.stream import look_at
from ldimport.cli.output.text import environment_flag
from ldimport.errors import ConfigError, ExitCode, LdimportError, TemporaryError
from ldimport.harmless import spoken
from ldimport.system import DISK, scarce
from ldimport.url import without_secrets
from ldimport.wording import clean

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


COMPLETE_VARIABLE = "_LDIMPORT_COMPLETE"
"""Set by the scripts of `ldimport completion` while a shell asks what may stand next."""


def run(arguments: Sequence[str]) -> int:
    """Carry out a command line; never raises but for what no handler can help."""
    prepare_streams()
    if COMPLETE_VARIABLE in os.environ:
        return _completed(arguments)
    gc.disable()  # until the command begins: imports make no garbage, looking for it takes 20 ms
    try:
        code = _guarded(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt as stop:
        return _stopped(arguments, getattr(stop, "exit_code", ExitCode.INTERRUPTED))
    except BrokenPipeError:  # whoever read our output has had enough: not an error
        _to_nowhere()
        return ExitCode.OK
    except OSError as error:
        _to_nowhere()
        return _report(arguments, _disk_error(error))
    finally:
        gc.enable()
    return code


def _completed(arguments: Sequence[str]) -> int:
    """Tell a shell what fits; whatever goes wrong, it is told nothing."""
    gc.disable()
    with suppress(Exception):
        from ldimport.cli.candidates import answer

        sys.stdout.write(answer(arguments))
        sys.stdout.flush()
    return ExitCode.OK


def _guarded(arguments: Sequence[str]) -> int:
    from typer import Abort, Exit, TyperException

    try:
        return _call(arguments)
    except LdimportError as error:
        return _report(arguments, error)
    except Abort:
        raise KeyboardInterrupt from None
    except Exit as error:  # --help
        return error.exit_code
    except TyperException as error:
        from ldimport.cli.mistakes import usage_error

        return _report(arguments, usage_error(error, arguments))
    except Exception as error:  # the last line of defence: a crash file and exit 70
        disk = isinstance(error, OSError) and error.errno in DISK
        if disk or isinstance(error, BrokenPipeError):
            raise
        if isinstance(error, PermissionError):
            return _report(arguments, ConfigError(f"{error.filename}: {error.strerror}"))
        if isinstance(error, EOFError) and "marshal" in str(error):
            raise  # a compiled module, see main
        if short := scarce(error):
            return _report(arguments, short)
        return _crashed(arguments, error)


def _call(arguments: Sequence[str]) -> int:
    """The command itself. Not through typer's own ``main``, which would turn Ctrl-C, SIGTERM and
    a closed pipe into exit codes of its own before anybody could say a word."""
    from ldimport.cli.app import PROGRAM, hoist, root

    group = root()
    if not arguments:
        with group.make_context(PROGRAM, [], resilient_parsing=True) as context:
            sys.stdout.write(f"{context.get_help()}\n")
        return ExitCode.USAGE
    with group.make_context(PROGRAM, hoist(arguments)) as context:
        code = group.invoke(context)
    return code if isinstance(code, int) else ExitCode.OK


def _report(arguments: Sequence[str], error: LdimportError) -> int:
    """The error as a document where JSON was asked for, and to people on standard error."""
    from ldimport.cli.output import documents
    from ldimport.cli.output.screen import Screen

    json, quiet = _asked(arguments, "json"), _asked(arguments, "quiet", "-q", "-qq")
    if json:
        with suppress(OSError):
            look_at(sys.stdout, os.environ).document(documents.dumps(documents.error(error)))
    if not (json and quiet):
        no_color = _asked(arguments, "no-color")
        with suppress(OSError):
            Screen(look_at(sys.stderr, os.environ, no_color=no_color)).error(error)
    return error.exit_code


def _asked(arguments: Sequence[str], flag: str, *short: str) -> bool:
    """Whether a flag was given, known even where the command line does not parse."""
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    variable = f"LDIMPORT_{flag.upper().replace('-', '_')}"
    return any(word in own for word in (f"--{flag}", *short)) or environment_flag(
        os.environ, variable
    )


def _stopped(arguments: Sequence[str], code: ExitCode) -> int:
    """Ended by a signal before a command could answer for itself."""
    error = LdimportError(
        f"{code.word}; what was acknowledged is safe",
        code=code.word,
        hint="run the same command again to go on",
    )
    error.exit_code = code
    return _report(arguments, error)


def _crashed(arguments: Sequence[str], error: BaseException) -> int:
    path = write_crash(error, arguments, os.environ)
    bug = LdimportError(
        f"a bug in ldimport: {redact(f'{type(error).__name__}: {error}', os.environ)}",
        code="bug",
        facts={"file": f"{path} (what happened, without tokens)", "state": "safe"},
        hint="please report it with this file; then the same command may simply be run again",
    )
    return _report(arguments, bug)


# -- a bug: what happened goes into a file, without tokens and local values ----------------------

_SECRETS = (
    (re.compile(r"(?i)\bbearer\s+\S+"), "Bearer …"),
    (re.compile(r"(?i)(token|secret|password)([\"'\s:=]+)\S+"), r"\1\2…"),
    (re.compile(r"\bldi_[A-Za-z0-9_-]+"), "ldi_…"),
)


def write_crash(error: BaseException, arguments: Sequence[str], environ: Mapping[str, str]) -> Path:
    """Write the crash file and return its path. Option names are kept, values not; what looks
    like a secret is cut out, also of the error's own text."""
    import platform
    import tempfile
    import traceback

    import platformdirs

    from ldimport import __version__
    from ldimport.files import write_new
    from ldimport.system import durable_folder

    command = [
        word.split("=", 1)[0] if word.startswith("-") else (word if n == 0 else "…")
        for n, word in enumerate(arguments)
    ]
    lines = [
        f"ldimport {__version__}, Python {platform.python_version()}, {platform.platform()}",
        f"command: {' '.join(command)}",
        "",
        *traceback.format_exception(error),
    ]
    text = _harmless("\n".join(lines), environ)
    name = f"crash-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}.txt"
    for find in (lambda: platformdirs.user_state_path("ldimport"), tempfile.gettempdir):
        try:
            folder = Path(find())
            durable_folder(folder)
            write_new(folder / name, text)
        except (OSError, LdimportError):
            continue
        return folder / name
    return Path(os.devnull)


def redact(text: str, environ: Mapping[str, str]) -> str:
    """``text`` without tokens: those of the environment, and whatever looks like one."""
    for name, value in environ.items():
        if len(value) >= 6 and re.search(r"TOKEN|SECRET|PASSWORD|KEY", name):
            text = text.replace(value, "…")
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return without_secrets(text)


def _harmless(text: str, environ: Mapping[str, str]) -> str:
    """Lines without tokens, and without what a terminal or CI system obeys."""
    return spoken("\n".join(map(clean, redact(text, environ).splitlines())))


def clean_logs() -> None:
    """What goes to standard error by ``logging`` (a bug's traceback, with what a client sent)."""
    import logging

    class Cleaned(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return _harmless(super().format(record), os.environ)

    if logging.lastResort is not None:
        logging.lastResort.setFormatter(Cleaned())


# -- streams -------------------------------------------------------------------------------------


def _disk_error(error: OSError) -> LdimportError:
    """A full disk that nobody further in spoke of: most often behind standard output."""
    what = error.filename or "standard output"
    text = f"{what} could not be written: {error.strerror or error}"
    hint = "free some space, then run the same command again"
    return TemporaryError(text, code="disk-full", hint=hint)


class _Unheard(io.FileIO):
    def write(self, text: ReadableBuffer) -> int:
        try:
            return super().write(text)
        except OSError:
            return memoryview(text).nbytes


def prepare_streams() -> None:
    """No stream may fail on a character; a closed one is replaced by nowhere. What standard error
    does not take nobody would read: the work goes on, and its exit code tells of it."""
    if sys.stderr is sys.__stderr__ and sys.stderr is not None and sys.platform != "win32":
        heard = io.BufferedWriter(_Unheard(sys.stderr.fileno(), "w", closefd=False))
        sys.stderr = io.TextIOWrapper(heard, sys.stderr.encoding, line_buffering=True)
    for name in ("stdout", "stderr"):
        stream = cast("TextIO | None", getattr(sys, name))
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115,PTH123
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _to_nowhere() -> None:
    """Let Python end without complaining about the broken stream."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
