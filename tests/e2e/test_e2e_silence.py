"""A server that does not answer is told at once, by every command that asks it, once."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_line import Ldimport
from places import TOKEN


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.mark.parametrize("command", ["submit", "plan"])
def test_it_is_told_at_the_start_with_reason_and_next_try(
    run: Ldimport, archive: Callable[..., Path], nobody: str, command: str
) -> None:
    run.env |= {"LDIMPORT_TARGET": nobody, "LDIMPORT_TOKEN": TOKEN, "LDIMPORT_SYSTEM_NAME": "a"}
    log = run.folder / "run.log"
    process = subprocess.Popen(
        run.command(command, archive(2), "--log-file", log),
        cwd=run.folder,
        env=run.env,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert process.stderr is not None
    said = process.stderr.readline()  # waits for the line, not for the end of all tries
    process.kill()
    rest = process.communicate()[1]
    assert f"{nobody} did not answer: connection refused; next try 20" in said
    assert "did not answer" not in rest, "one line, not one for each try"
    (line,) = map(json.loads, log.read_text().splitlines())
    assert (line["type"], line["over"]) == ("silence", False) and line["nextTry"]
