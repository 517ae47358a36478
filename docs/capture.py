"""Runs the commands that README and docs show, and writes what they say into the pages::

    python docs/capture.py [PAGE…]    writes blocks that are out of date
    python docs/capture.py --check    shows them, and ends with 1

All blocks of a page are one session of a shell in a folder of its own that holds ``samples/``, on
a terminal of 100 columns:

- in a block ```` ```console ```` a line ``$ …`` is a command, ``> …`` goes on with it, and the
  others are what it says;
- a block below ``<!-- capture: COMMAND -->`` is what that command says;
- the command of a block below ``<!-- second terminal: PORT -->`` goes on running until the end of
  the page, or the next one on that port; what it says is not looked at;
- a block below ``<!-- not run -->`` is left alone;
- ``…`` alone in a line stands for lines that are left out.

Ids, times, speeds and the like differ in each run: they do not make a block out of date. Needs
Linux or macOS, bash, and ``ldimport`` with its extra ``server`` beside the Python that runs this.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pages import ROOT, write_or_check

PAGES = ("README.md", "docs/reference.md", "docs/guide.md")
COLUMNS, LINES = 100, 50
PORTS = {"8642": "", "9095": "LDIMPORT_PORT", "9097": "LDIMPORT_UI_PORT"}
"""Ports that pages name, and the variable that tells it to the command whose own it is; while
pages are run, free ones take their place."""
PLACE = "/home/you/ldimport"
"""How pages call the folder that they are run in."""
LEFT_OUT = "…"
PATIENCE = 300.0
"""Seconds that a page may take; a command that waits for an answer would take for ever."""

_BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>capture|second terminal|not run)(?:: (?P<of>.*?))? -->\n)?"
    r"^```(?P<language>\w*)\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_VOLATILE = tuple((re.compile(pattern), name) for pattern, name in (
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?(Z|[+-]\d\d:?\d\d)?", "TIME"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}\b", "ID"),
    (r"\b[0-9a-f]{40,64}\b", "DIGEST"),
    (r"\bldi_\w+", "TOKEN"),
    (r"\b(?=\w{0,11}\d)[0-9A-Za-z]{12}\b|\b(?=\w*[A-Z])(?=\w*[a-z])[0-9A-Za-z]{12}\b", "ID"),
    (r"\b(?=\d*[a-z])(?=[a-z]*\d)[0-9a-z]{13,14}\b", "ID"),
    (r"\bid=[\w=]{20,}", "id=ID"),
    (r"\bseed \d+", "seed N"),
    (r"\b(today|tomorrow|yesterday)? ?\d\d:\d\d(:\d\d)?\b", "TIME"),
    (r"(\b(about|by) )?\b\d{1,2} [A-Z][a-z]{2,8}\b( \d{4})?", "DAY"),
    (r"\b(\d+ (d|h|min) )*<?[\d.]+ (ms|s|min|h|days?|d)\b|\b\d+ (h|min|d)\b", "TIME"),
    (r"[\d,.]+( rows)?/s", "SPEED"),
    (r"[\d,.]+ [kMG]B\b", "SIZE"),
    (r"ldimport[ /]\d+\.\d+\.\d+", "VERSION"),
    (r"─{2,}|━[━╸╺ ]*", "-"),
    (r"[ \t]+", " "),
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Said:
    """A command as a page has it, the lines that it says there, and where in the page they are."""

    command: str
    lines: tuple[str, ...]
    place: tuple[int, int]
    port: str = ""
    """Of a command in a second terminal: where it listens."""

    def now(self, said: list[str]) -> list[str]:
        """What belongs into the page: ``said``, without what is left out there."""
        if self.port or LEFT_OUT not in self.lines:
            return said
        before = self.lines.index(LEFT_OUT)
        after = len(self.lines) - before - 1
        return [*said[:before], LEFT_OUT, *(said[-after:] if after else [])]

    def differs(self, now: list[str]) -> bool:
        """Whether the page says something else, but for what differs in each run."""
        return [steady(line) for line in self.lines] != [steady(line) for line in now]


def steady(line: str) -> str:
    """A line without what differs from run to run."""
    for pattern, name in _VOLATILE:
        line = pattern.sub(name, line)
    return line.strip()


def commands(text: str) -> list[Said]:
    """Every command of a page, in order."""
    found: list[Said] = []
    for block in _BLOCK.finditer(text):
        mark, body, start = block["mark"], block["body"], block.start("body")
        if mark == "capture":
            found.append(Said(block["of"], tuple(body.splitlines()), (start, start + len(body))))
        elif block["language"] == "console" and mark != "not run":
            port = block["of"] if mark == "second terminal" else ""
            found += _session(body, start, port)
    return found


def _session(body: str, start: int, port: str) -> Iterator[Said]:
    for each in re.finditer(r"^\$ (.*\n(?:> ?.*\n)*)((?:(?!\$ ).*\n)*)", body, re.MULTILINE):
        command = re.sub(r"^> ?", "", each[1], flags=re.MULTILINE).rstrip("\n")
        place = (start + each.start(2), start + each.end(2))
        yield Said(command, tuple(each[2].splitlines()), place, port)


def renewed(page: str) -> str:
    """The text of a page, with what its commands say now wherever that differs.

    Raises RuntimeError for a page whose session did not come to its end.
    """
    text = (ROOT / page).read_text(encoding="utf-8")
    found = commands(text)
    for said, lines in reversed(list(zip(found, run(found), strict=True))):
        now = said.now(lines)
        if not said.port and said.differs(now):
            start, end = said.place
            text = text[:start] + "".join(f"{line}\n" for line in now) + text[end:]
    return text


# -- the session --------------------------------------------------------------------------------

_MARK = "\x1e"


def run(found: list[Said]) -> list[list[str]]:
    """What each command says, as lines that stay on the terminal."""
    with tempfile.TemporaryDirectory(prefix="capture-") as name:
        folder = Path(name).resolve() / "ldimport"
        shutil.copytree(ROOT / "samples", folder / "samples")
        (folder.parent / "home").mkdir()
        ports = dict(zip(PORTS, _free_ports(), strict=True))
        script = _translated(_script(found), ports)
        (folder.parent / "session.sh").write_text(script, encoding="utf-8")
        said = _on_a_terminal(["bash", str(folder.parent / "session.sh")], folder)
    back = {free: port for port, free in ports.items()}
    told = _translated(said.replace(str(folder), PLACE), back).split(_MARK)[1:]
    if len(told) != len(found) + 1:
        last = "\n".join(["", *screen(told[-1])] if told else [])
        raise RuntimeError(f"it ended in $ {found[max(0, len(told) - 1)].command}{last}")
    return [screen(each) for each in told[:-1]]


def _translated(text: str, ports: dict[str, str]) -> str:
    for port, other in ports.items():
        text = re.sub(rf"\b{port}\b", other, text)
    return text


def _free_ports() -> list[str]:
    """As many digits as those of the pages, so that lines break at the same places."""
    free = []
    for port in range(2_000 + os.getpid() % 6_000, 9_000):
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
        if str(port) not in PORTS:
            free.append(str(port))
        if len(free) == len(PORTS):
            return free
    raise RuntimeError("no port is free")


def _script(found: list[Said]) -> str:
    ends = "trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT"
    settings = [f"export {name}={port}" for port, name in PORTS.items() if name]
    lines = ["code=0", *settings, ends]
    for n, said in enumerate(found):
        lines.append(r"printf '\x1e'; (exit $code)")
        if said.port:
            # it is there once it answers; one that has died is a failure of the session
            waiting = f"until (exec 3<>/dev/tcp/127.0.0.1/{said.port}) 2>/dev/null"
            lines += [
                f'if [ -n "$p{said.port}" ]; then kill $p{said.port}; wait $p{said.port}; fi',
                f"{said.command} >$HOME/second-{n}.log 2>&1 </dev/null &",
                f"p{said.port}=$!",
                f"{waiting}; do",
                f"kill -0 $! || {{ cat $HOME/second-{n}.log; exit 1; }}; sleep 0.1; done",
            ]
        else:
            lines.append(said.command)
        lines.append("code=$?")
    return "\n".join([*lines, r"printf '\x1e'", ""])


def _on_a_terminal(command: list[str], folder: Path) -> str:
    """All that it writes to a terminal of its own, with no settings of this user's."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder.parent / "home"), "TERM": "xterm", "NO_COLOR": "1",
        "LANG": "C.UTF-8", "TZ": "UTC", "PYTHONUNBUFFERED": "1",
    }  # fmt: skip
    running = subprocess.Popen(
        command, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    said, ends = bytearray(), time.monotonic() + PATIENCE
    try:
        while part := _read(ours, ends):
            said += part
    finally:
        if running.poll() is None and (time.monotonic() >= ends or sys.exc_info()[0]):
            os.killpg(running.pid, signal.SIGTERM)
        os.close(ours)
        running.wait()
    return said.decode("utf-8")


def _read(terminal: int, ends: float) -> bytes:
    if not select.select([terminal], [], [], max(0, ends - time.monotonic()))[0]:
        return b""
    try:
        return os.read(terminal, 65_536)
    except OSError:  # how Linux says that nobody has the other end any more
        return b""


_CONTROL = re.compile(r"\x1b\[\??(\d*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)")


def screen(written: str) -> list[str]:
    """The lines that stay on a terminal, without blank ones at both ends."""
    lines, row, column = [""], 0, 0
    for number, control, moved, text in _CONTROL.findall(written):
        if text:
            lines[row] = lines[row][:column].ljust(column) + text + lines[row][column + len(text) :]
            column += len(text)
        elif moved == "\r":
            column = 0
        elif moved == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif control == "A":
            row = max(0, row - int(number or 1))
        elif control == "K":
            lines[row] = "" if number == "2" else lines[row][:column]
    return "\n".join(line.rstrip() for line in lines).strip("\n").splitlines()


if __name__ == "__main__":
    sys.exit(write_or_check(renewed, PAGES, "python docs/capture.py"))
