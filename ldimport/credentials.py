"""Access tokens: how they are kept from view, where they are read, what they say of themselves.

Livingdocs' tokens are JWTs (docs/livingdocs-api.md, "Versions and dialects"); when they expire is
read without checking the signature, only to tell a person why a server refused one.
"""

from __future__ import annotations

import base64
import json
import os
import re
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from ldimport.errors import AuthError, ConfigError

MASK = "********"
COMMAND_SECONDS = 120
"""How long a token command may take; it may ask a person for a passphrase."""

_TOKEN = re.compile(r"[\x21-\x7e]+")  # what may stand in a header, so that no library complains
_MAX_FILE = 65_536


class Secret:
    """A text that appears in no log, error or ``repr``; only ``reveal`` gives it out.

    Made from the text or from a function that gets it, which is called once, on the first
    ``reveal``. ``source`` says where it comes from, for people.
    """

    __slots__ = ("_read", "_value", "source")

    def __init__(self, value: str | Callable[[], str], source: str = "") -> None:
        self.source = source
        self._value: str | None = None
        self._read = value if callable(value) else lambda: value

    def reveal(self) -> str:
        """The token, without white space around it or a leading ``Bearer``. Raises AuthError
        when it is none, ConfigError when its file or command fails."""
        if self._value is None:
            self._value = _cleaned(self._read(), self.source)
        return self._value

    def mask(self, text: str) -> str:
        """``text`` without the token in it, should a server have sent it back."""
        return text if self._value is None else text.replace(self._value, MASK)

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not written anywhere")


def _cleaned(text: str, source: str) -> str:
    token = text.strip()
    if token[:7].lower() == "bearer ":
        token = token[7:].strip()
    if not _TOKEN.fullmatch(token):
        what = "holds characters that no token has" if token else "is empty"
        hint = "copy the token again: one line of letters, digits, dots, - and _"
        where = f" ({source})" if source else ""
        raise AuthError(f"the token {what}{where}", hint=hint, code="bad-token")
    return token


def from_file(path: Path) -> Secret:
    """The token in a file (one line). The file is read on first use."""
    return Secret(lambda: _read_file(path), str(path))


def _read_file(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return stream.read(_MAX_FILE).decode("utf-8")
    except OSError as error:
        why = f"{path}: the token file cannot be read: {error.strerror}"
        hint = "create it with the token as its only line, readable by you alone (chmod 600)"
        raise ConfigError(why, hint=hint, code="token-file") from error
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: the token file is not a text", code="token-file") from None


def from_command(arguments: Sequence[str], source: str) -> Secret:
    """The token that a command prints, such as a password manager. It runs on first use, without
    a shell, with this terminal to ask for a passphrase."""
    return Secret(lambda: _run(tuple(arguments)), source)


def _run(arguments: tuple[str, ...]) -> str:
    import subprocess

    try:
        done = subprocess.run(arguments, stdout=subprocess.PIPE, timeout=COMMAND_SECONDS)
    except subprocess.TimeoutExpired:
        why = f"it took longer than {COMMAND_SECONDS} s"
    except OSError as error:
        why = error.strerror or "it cannot be started"
    else:
        if done.returncode == 0:
            return done.stdout.decode("utf-8", "replace")
        why = f"it ended with {done.returncode}"
    why = f"tokenCommand {arguments[0]} gave no token: {why}"
    hint = "run the command by hand; it has to print the token and nothing else"
    raise ConfigError(why, hint=hint, code="token-command")


def readable_by_others(path: Path) -> bool:
    """Whether other users of this machine may read a file (POSIX modes; False elsewhere)."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return os.name == "posix" and stat.S_ISREG(mode) and bool(mode & 0o077)


def expires(token: str) -> float | None:
    """When a JWT says that it expires, in Unix seconds; None where it does not, or is no JWT."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        body = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return float(body["exp"]) if 0 < body["exp"] < 1e11 and body["exp"] is not True else None
    except (ValueError, TypeError, LookupError, RecursionError):
        return None
