"""The command line: one thin file per command, everything said through ``output``.

Importing this costs nothing: ``--version`` is answered before typer is imported, and each
command's module is imported when it is called.
"""

import os
import sys
from contextlib import suppress

ENOUGH = 4_000_000
"""Bytes that all our compiled modules take, at most."""


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit code; the console script exits with it."""
    if argv is None:
        _names_in_utf8()
        _leave_on_signals()
        _leave_modules_alone()
    arguments = sys.argv[1:] if argv is None else argv
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    if "--version" in own or "-V" in own:
        from ldimport import __version__

        try:
            print(f"ldimport {__version__}", flush=True)  # noqa: T201  also to no stream at all
        except OSError:
            sys.stdout = None  # or Python tries again at its end
            return 5
        return 0
    try:
        from ldimport.cli.run import run

        return run(arguments)
    except MemoryError:
        return _out_of_memory()
    except EOFError:
        os.write(2, b"a compiled module of Python is cut short, perhaps by a full disk; "
                    b"python -m compileall -q -f FOLDER\n")  # fmt: skip
        return 4
    except Exception as error:
        from ldimport.system import scarce

        met: BaseException | None = error
        while met and not scarce(met):
            met = met.__context__
        if met is None:
            raise
        return _out_of_memory()


def _out_of_memory() -> int:
    """There was not even enough to say so in our form."""
    os.write(2, b"out of memory\n")
    return 5


def _names_in_utf8() -> None:
    """Names of files and arguments are UTF-8 wherever people share them. Under another locale
    Python would mangle them, and cannot be told otherwise once it runs: so it begins once more,
    in the same process. What is printed stays in the encoding of the terminal."""
    if sys.getfilesystemencoding() == "utf-8" or sys.platform == "win32":
        return
    os.environ.setdefault("PYTHONIOENCODING", getattr(sys.stdout, "encoding", None) or "utf-8")
    os.environ["PYTHONUTF8"] = "1"  # workers, too
    with suppress(OSError):
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606


def _leave_modules_alone() -> None:
    """Where there is hardly room, Python would leave compiled modules that are cut off (gh-126606),
    and no command would work any more."""
    room = float("inf")
    with suppress(ImportError, OSError, AttributeError):  # not on Windows
        import resource

        disk = os.statvfs(__file__)
        most = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
        unlimited = most == resource.RLIM_INFINITY
        room = min(disk.f_bavail * disk.f_frsize, room if unlimited else most)
    if room < ENOUGH:
        sys.dont_write_bytecode = True
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # workers, too


def _leave_on_signals() -> None:
    """In a process of our own, what ends it never ends in a traceback: neither while modules are
    imported nor while Python ends. Commands put their own handlers before this one."""
    try:
        import signal

        for number in filter(None, map(vars(signal).get, ("SIGINT", "SIGTERM", "SIGHUP"))):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup and shells ask for
                signal.signal(number, _leave)
    except KeyboardInterrupt:
        _leave(2)


def _leave(number: int, _: object = None) -> None:
    try:
        os.write(2, b"interrupted\n" if number == 2 else b"terminated\n")
    finally:
        os._exit(130 if number == 2 else 143)
