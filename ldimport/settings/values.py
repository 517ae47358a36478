"""One setting as a person writes it, in a flag, a variable or a file: checked, or refused with
its place."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ldimport import wire
from ldimport.errors import ConfigError, LdimportError, UsageError
from ldimport.faults import json_fault
from ldimport.model import MAX_CONTEXT_BYTES
from ldimport.url import API_VERSION, is_http_url, server_url, without_secrets

EMBEDDED = "embedded"


@dataclass(frozen=True, slots=True)
class Where:
    """The place of one value: ``name`` as errors call it (``--target``, ``ldimport.yaml:3:
    target``), ``source`` as ``config show`` does, and what relative paths and ``~`` mean."""

    name: str
    source: str
    folder: Path
    home: Path
    usage: bool = False

    def error(self, text: str, hint: str | None = None) -> LdimportError:
        """What to raise when the value is wrong; a wrong flag is a usage error."""
        kind = UsageError if self.usage else ConfigError
        return kind(f"{self.name} {text}", hint=hint, code="bad-setting")


class Value(NamedTuple):
    """A checked value and where it comes from."""

    value: Any
    source: str


Layer = dict[str, Value]
"""What one source says: setting (as the config file spells it) to value."""


def _text(raw: object, where: Where) -> str:
    if not isinstance(raw, str):
        shown = str(raw).lower() if isinstance(raw, bool) else raw
        hint = f'put it in quotes: "{shown}"' if isinstance(raw, int | float) else None
        raise where.error(f"must be a text, not {_kind(raw)}", hint)
    if not raw.strip():
        raise where.error("must not be empty")
    return raw


def _target(raw: object, where: Where) -> str:
    text = _text(raw, where)
    if text == EMBEDDED:
        return text
    try:
        return server_url(text)
    except ValueError as error:
        raise where.error(f"{error}, or be the word {EMBEDDED}") from None


def _such(fits: Callable[[str], object], words: str) -> Callable[[object, Where], str]:
    def read(raw: object, where: Where) -> str:
        if not fits(text := _text(raw, where)):
            raise where.error(words)
        return text

    return read


def read_path(raw: object, where: Where) -> Path:
    """A path, relative to where it is written; ``~`` is the user's home."""
    text = _text(str(raw) if isinstance(raw, Path) else raw, where)
    if text == "~" or text.startswith("~/"):
        return where.home / text[2:]
    return where.folder / text


_PREFIX = re.compile(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*/\d{1,3}")
"""Of IPv6, as NAT64 has one."""


def _hosts(raw: object, where: Where) -> tuple[str, ...]:
    items = raw.split(",") if isinstance(raw, str) else raw
    if not isinstance(items, Sequence) or not all(isinstance(each, str) for each in items):
        raise where.error("must be a list of HOST or HOST:PORT", "for example [images.local:8080]")
    hosts = tuple(each.strip() for each in items if each.strip())
    for each in hosts:
        if any(sign in each for sign in "/@?# \t") and not _PREFIX.fullmatch(each):
            text = f"must hold HOST or HOST:PORT, not “{without_secrets(f'//{each}')[2:]}”"
            raise where.error(text)
    return hosts


def _context(raw: object, where: Where) -> Mapping[str, Any]:
    body = _parsed(raw, where) if isinstance(raw, str) else raw
    if not isinstance(body, Mapping):
        raise where.error(f"must be a JSON object, not {_kind(body)}")
    try:
        size = len(wire.encode(dict(body)))
    except (TypeError, ValueError, RecursionError):
        raise where.error("cannot be written as JSON") from None
    if size > MAX_CONTEXT_BYTES:
        raise where.error(f"is {size:,} bytes of JSON; the API allows {MAX_CONTEXT_BYTES:,}")
    return dict(body)


def _parsed(text: str, where: Where) -> object:
    if text.startswith("@"):
        text = _contents(read_path(text[1:], where), where)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        why = json_fault(error) if isinstance(error, ValueError) else "it is nested too deeply"
        raise where.error(f"must be a JSON object or @FILE: {why}") from None


def _contents(path: Path, where: Where) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise where.error(f"names {path}, which cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise where.error(f"names {path}, which is not UTF-8") from None


def _mapping(raw: object, where: Where) -> Mapping[str, Any]:
    if not isinstance(raw, dict):
        raise where.error(f"must be a mapping, not {_kind(raw)}")
    return raw


def _flag(raw: object, where: Where) -> bool:
    word = str(raw).strip().lower()
    if word in ("true", "1", "yes", "on"):
        return True
    if word in ("false", "0", "no", "off"):
        return False
    raise where.error("must be true or false")


def _kind(raw: object) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", str: "a text",
             list: "a list", dict: "a mapping", type(None): "nothing"}  # fmt: skip
    return next((name for kind, name in names.items() if isinstance(raw, kind)), "that")


class Setting(NamedTuple):
    """One setting: its name in ``Settings``, what checks a value, its flag, whether it may stand in
    a config file, and whether the user has to agree to one that is not their own (``trust``)."""

    name: str
    read: Callable[[object, Where], Any]
    option: str = ""
    in_file: bool = True
    dangerous: bool = False

    @property
    def key(self) -> str:
        """Its name in a config file: ``systemName``."""
        first, *rest = self.name.split("_")
        return first + "".join(word.capitalize() for word in rest)

    @property
    def variable(self) -> str:
        """The environment variable that gives it: ``LDIMPORT_SYSTEM_NAME``."""
        return "LDIMPORT_" + self.option[2:].upper().replace("-", "_")

    def value(self, raw: object, where: Where) -> Value:
        """A checked value. Raises ConfigError, or UsageError for a flag."""
        return Value(self.read(raw, where), where.source)


_VERSIONS, _HTTP = "must be v1 or a dated version such as 2025-03", "must be an http or https URL"
SETTINGS = (
    Setting("target", _target, "--target", dangerous=True),
    Setting("api_version", _such(API_VERSION.fullmatch, _VERSIONS), "--api-version"),
    Setting("system_name", _text, "--system-name"),
    Setting("project_config", read_path, "--project-config"),
    Setting("state", read_path, "--state", dangerous=True),
    Setting("engine", read_path, "--engine", dangerous=True),
    Setting("allow_hosts", _hosts, "--allow-host", dangerous=True),
    Setting("base_url", _such(is_http_url, _HTTP), "--base-url"),
    Setting("webhook", _such(is_http_url, _HTTP), "--webhook", dangerous=True),
    Setting("context", _context, "--context"),
    Setting("manifest", _mapping),
    Setting("insecure", _flag, "--insecure", in_file=False),
)
"""Every setting but profile and token, in the order of ``config show``."""
