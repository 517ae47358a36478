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

from ldimport.errors import LdimportError
from ldimport.files import write_new

_SECRETS = (
    (re.compile(r"(?i)\bbearer\s+\S+"), "Bearer …"),
    (re.compile(r"(?i)(token|secret|password)([\"'\s:=]+)\S+"), r"\1\2…"),
    (re.compile(r"\bldi_[A-Za-z0-9_-]+"), "ldi_…"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), "…"),
    (re.compile(r"(https?://)[^/\s@]+@"), r"\1…@"),
    (re.compile(r"(https?://[^\s?\"']+)\?[^\s\"']+"), r"\1?…"),
)


def write_crash(error: BaseException, arguments: Sequence[str], environ: Mapping[str, str]) -> Path:
    """Write the crash file and return its path. Option names are kept, values not; what looks
    like a secret is cut out, also of the error's own text."""
    import platformdirs

    from ldimport import __version__

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
    text = redact("\n".join(lines), environ)
    name = f"crash-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}.txt"
    for folder in (platformdirs.user_state_path("ldimport"), Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
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
    return text
