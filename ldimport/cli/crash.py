"""A bug in ldimport: what happened goes into a file that holds no token and no local values."""

from __future__ import annotations

import os
import platform
import re
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

_SECRETS = (
    (re.compile(r"(?i)\bbearer\s+\S+"), "Bearer …"),
    (re.compile(r"(?i)(token|secret|password)([\"'\s:=]+)\S+"), r"\1\2…"),
    (re.compile(r"\bldi_[A-Za-z0-9_-]+"), "ldi_…"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), "…"),
    (re.compile(r"(https?://)[^/\s@]+@"), r"\1…@"),
    (re.compile(r"(https?://[^\s?\"']+)\?[^\s\"']+"), r"\1?…"),
)


def write_crash(error: BaseException, arguments: Sequence[str], environ: Mapping[str, str]) -> Path:
    """Write the crash file (mode 0600) and return its path. Option names are kept, values not;
    what looks like a secret is cut out, also of the error's own text."""
    from ldimport import __version__

    lines = [
        f"ldimport {__version__}, Python {platform.python_version()}, {platform.platform()}",
        f"command: {' '.join(_outline(arguments))}",
        "",
        *traceback.format_exception(error),
    ]
    text = redact("\n".join(lines), environ)
    for folder in _folders():
        try:
            return _write(folder, text)
        except OSError:
            continue
    return Path(os.devnull)


def redact(text: str, environ: Mapping[str, str]) -> str:
    """``text`` without tokens: those of the environment, and whatever looks like one."""
    for name, value in environ.items():
        if len(value) >= 6 and re.search(r"TOKEN|SECRET|PASSWORD|KEY", name):
            text = text.replace(value, "…")
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


def _outline(arguments: Sequence[str]) -> list[str]:
    """The command word and the names of options."""
    return [
        word.split("=", 1)[0] if word.startswith("-") else (word if n == 0 else "…")
        for n, word in enumerate(arguments)
    ]


def _folders() -> list[Path]:
    import platformdirs

    return [Path(platformdirs.user_state_dir("ldimport")), Path(tempfile.gettempdir())]


def _write(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"crash-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}.txt"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8", errors="replace") as file:
        file.write(text)
    return path
