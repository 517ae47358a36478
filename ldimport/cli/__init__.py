"""The command line: one thin file per command, everything said through ``output``.

Importing this costs nothing: ``--version`` is answered before typer is imported, and each
command's module is imported when it is called.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit code; the console script exits with it."""
    if argv is not None:
        return _main(argv)
    _on_signals(_leave)
    try:
        return _main(sys.argv[1:])
    except MemoryError:  # there was not even enough to say so in our form
        os.write(2, b"out of memory\n")
        return 5
    finally:
        _on_signals()


def _main(arguments: list[str]) -> int:
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    if "--version" in own or "-V" in own:
        from ldimport import __version__

        try:
            print(f"ldimport {__version__}", flush=True)  # noqa: T201  also to no stream at all
        except OSError:
            sys.stdout = None  # or Python tries again at its end
            return 5
        return 0
    from ldimport.cli.run import run

    return run(arguments)


def _on_signals(call: Callable[[int, object], None] | None = None) -> None:
    """Signals that end us never end in a traceback while modules are imported, nor change the exit
    code while Python ends (``call`` None). Commands put their own handlers before this one."""
    try:
        import signal

        for number in filter(None, map(vars(signal).get, ("SIGINT", "SIGTERM", "SIGHUP"))):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup and shells ask for
                signal.signal(number, call or signal.SIG_IGN)
    except KeyboardInterrupt:
        _leave(2)


def _leave(number: int, _: object = None) -> None:
    try:
        os.write(2, b"interrupted\n" if number == 2 else b"terminated\n")
    finally:
        os._exit(130 if number == 2 else 143)
