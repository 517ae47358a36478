"""``ldimport`` in processes of its own that cost no start: a parent that has imported everything
forks itself for every call.

A call is a process in all it does (streams, signals, exit code, environment, folder); left out
are the start of Python and the imports, which other tests prove with the real command. As a
program this file is the parent (``forked.py PLACE``), or a command line that has itself carried
out by it (``forked.py PLACE call ARGUMENTS``).
"""

import json
import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from functools import cache
from typing import Any


@cache
def command() -> list[str]:
    """The words that stand for ``ldimport``; the parent behind them lives as long as we do."""
    import atexit
    import subprocess
    import tempfile

    folder = tempfile.TemporaryDirectory(prefix="ldimport-")
    program = [__file__, f"{folder.name}/parent"]
    parent = subprocess.Popen(
        [sys.executable, *program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    atexit.register(folder.cleanup)
    atexit.register(parent.communicate)  # the end of its input is its own
    assert parent.stdout is not None
    assert parent.stdout.readline(), "ldimport could not be imported"
    return [sys.executable, "-IS", *program, "call"]


# -- a call --------------------------------------------------------------------------------


def call(place: str, arguments: list[str]) -> None:
    """Be the process that the parent forks: its streams, its signals, its exit code."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(place)
        socket.send_fds(connection, [b"\n"], [0, 1, 2])
        request = {"arguments": arguments, "cwd": os.getcwd(), "env": dict(os.environ)}  # noqa: PTH109  pathlib takes 10 ms
        connection.sendall(json.dumps(request).encode() + b"\n")
        answers = connection.makefile("r")
        process = int(answers.readline())
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda number, _: os.kill(process, number))
        code = int(answers.readline())
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


# -- the parent ----------------------------------------------------------------------------


def serve(place: str) -> list[str]:
    """Answer calls until standard input ends. In a forked child it returns the arguments."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(place)
        listener.listen()
        os.write(1, b"\n")
        while True:
            ready, _, _ = select.select([listener, 0], [], [])
            if 0 in ready:
                sys.exit()
            connection, _ = listener.accept()
            if not os.fork():
                break
            connection.close()
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
    return attend(connection)


def attend(connection: socket.socket) -> list[str]:
    """Fork the command, tell its process id and its end; kill it when the caller is gone. In the
    command it returns the arguments."""
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    request = json.loads(connection.makefile("r").readline())
    alive, mine = os.pipe()
    process = os.fork()
    if not process:
        connection.close()
        return become(request, streams)
    os.close(mine)
    with suppress(BrokenPipeError):
        connection.sendall(f"{process}\n".encode())
        for stream in streams:
            os.close(stream)
        if connection in select.select([alive, connection], [], [])[0]:
            os.kill(process, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    with suppress(BrokenPipeError):
        connection.sendall(f"{code}\n".encode())
    os._exit(0)


def become(request: dict[str, Any], streams: list[int]) -> list[str]:
    """Take on what the caller has: streams, environment, folder."""
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    os.chdir(request["cwd"])
    arguments: list[str] = request["arguments"]
    return arguments


def leave(code: int) -> None:
    """End without taking apart all that was imported."""
    import threading

    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def import_everything() -> None:
    """Also what commands import only when they use it."""
    import gc
    import importlib
    import pkgutil

    import ldimport

    for module in pkgutil.walk_packages(ldimport.__path__, "ldimport."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    import json_schemas
    from jsonschema import validators  # noqa: F401
    from pydantic import TypeAdapter  # noqa: F401

    json_schemas.hold()
    json_schemas.prepare()
    gc.freeze()


if __name__ == "__main__":
    if sys.argv[2:3] == ["call"]:
        call(sys.argv[1], sys.argv[3:])
    import_everything()
    words = serve(sys.argv[1])
    from ldimport.cli import main

    sys.argv = ["ldimport", *words]
    leave(main())
