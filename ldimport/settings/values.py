"""One setting as a person writes it, in a flag, a variable or a file: checked, or refused with
its place."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from ldimport import wire
from ldimport.api_versions import API_VERSION
from ldimport.credentials import Secret
from ldimport.errors import ConfigError, LdimportError, UsageError, did_you_mean
from ldimport.faults import json_fault
from ldimport.model import (
    MAX_BODY_BYTES,
    MAX_CONTEXT_BYTES,
    MAX_NAME,
    RENDITION_BYTES,
    REQUESTS_PER_SECOND,
    ExifPrecedence,
    ImageType,
    JobOptions,
    Limits,
    Nulls,
    Publishing,
    Variants,
)
from ldimport.url import is_http_url, server_url, without_secrets

EMBEDDED = "embedded"
Word = TypeVar("Word", bound=StrEnum)


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


def _heartbeat(raw: object, where: Where) -> Secret:
    """Who knows the address may say that all is well, so it is shown nowhere."""
    text = _text(raw, where).strip()
    if not (is_http_url(text) and text.isascii() and text.isprintable()):
        raise where.error(_HTTP)
    return Secret(text, where.source)


def _flag(raw: object, where: Where) -> bool:
    word = str(raw).strip().lower()
    if word in ("true", "1", "yes", "on"):
        return True
    if word in ("false", "0", "no", "off"):
        return False
    raise where.error("must be true or false")


def _user_agent(raw: object, where: Where) -> str:
    text = _text(raw, where).strip()
    if not (text.isascii() and text.isprintable()):
        raise where.error("must be printable ASCII on one line", "it becomes a header: User-Agent")
    if len(text) > MAX_NAME:
        raise where.error(f"has {len(text):,} characters; at most {MAX_NAME:,} make sense")
    return text


def _per_second(raw: object, where: Where) -> int:
    if not isinstance(raw, int) or isinstance(raw, bool) or not 1 <= raw <= 1_000:
        raise where.error("must be a number of requests a second, from 1 to 1,000")
    return raw


_AMOUNT = re.compile(r"(\d[\d_,]*(?:\.\d+)?)\s*([kmg]?)(i?)(b|p|px|)", re.IGNORECASE)


def _amount(least: int, most: int, like: str = "15MB") -> Callable[[object, Where], int]:
    """A whole number from ``least`` to ``most``, or a text such as ``15MB`` or ``24 MP``: steps of
    1,000, with an i (``15MiB``) of 1,024."""

    def read(raw: object, where: Where) -> int:
        found = raw if isinstance(raw, int) and not isinstance(raw, bool) else None
        if isinstance(raw, str) and (said := _AMOUNT.fullmatch(raw.strip())):
            step = (1_024 if said[3] else 1_000) ** " kmg".index(said[2].lower() or " ")
            whole = float(said[1].replace("_", "").replace(",", "")) * step
            found = int(whole) if whole.is_integer() else None
        if found is None or not least <= found <= most:
            text = f"must be a number from {least:,} to {most:,}, or like {like}"
            raise where.error(text)
        return found

    return read


def _count(raw: object, where: Where) -> int:
    text = str(raw).strip() if isinstance(raw, int | str) and not isinstance(raw, bool) else ""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= 1_000:
        raise where.error("must be a number from 1 to 1,000")
    return int(text)


_MOST_FAILURES = re.compile(r"any|\d{1,9}|(?:100|\d{1,2})(?:\.\d+)?\s*%")


def _max_failures(raw: object, where: Where) -> str:
    text = str(raw).strip().lower() if isinstance(raw, int | str) else ""
    if isinstance(raw, bool) or not text.isascii() or not _MOST_FAILURES.fullmatch(text):
        raise where.error("must be any, a number of images, or a share like 5%")
    return text


def _one_of(kind: type[Word]) -> Callable[[object, Where], Word]:
    def read(raw: object, where: Where) -> Word:
        word = raw if isinstance(raw, str) else _WORDS.get(raw if isinstance(raw, bool) else None)
        if word not in set(kind):
            hint = did_you_mean(str(word), kind, "")
            raise where.error(f"must be one of {', '.join(kind)}", hint or None)
        return kind(word)

    return read


_WORDS = {None: "", True: "true", False: "none"}  # YAML reads no, off


def _formats(raw: object, where: Where) -> tuple[ImageType, ...]:
    items = raw.split(",") if isinstance(raw, str) else raw
    if not isinstance(items, Sequence) or not all(isinstance(each, str) for each in items):
        raise where.error("must be a list of formats", f"for example [{', '.join(ImageType)}]")
    names = {each.strip().lower().removeprefix("image/") for each in items if each.strip()}
    names = {_SPELLINGS.get(each, each) for each in names}
    if unknown := sorted(names - set(ImageType)):
        told = f"holds {unknown[0]}; the engine reads {', '.join(ImageType)}"
        raise where.error(told, did_you_mean(unknown[0], ImageType, "leave it out"))
    if not names:
        raise where.error("must name a format")
    return tuple(each for each in ImageType if each in names)


_SPELLINGS = {"jpeg": "jpg", "svg+xml": "svg"}


def _kind(raw: object) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", str: "a text",
             list: "a list", dict: "a mapping", type(None): "nothing"}  # fmt: skip
    return next((name for kind, name in names.items() if isinstance(raw, kind)), "that")


Reader = Callable[[object, Where], Any]
"""Checks a value as it was written."""


class Setting(NamedTuple):
    """One setting: its name in ``Settings``, what checks a value, its flag, whether it may stand in
    a config file, whether the user has to agree to one that is not their own (``trust``),
    where in the file it stands if that is not at the top, what holds unless it is given, and the
    variable that gave it ``before`` its flag was called so."""

    name: str
    read: Reader
    option: str = ""
    in_file: bool = True
    dangerous: bool = False
    at: str = ""
    default: object = None
    before: str = ""

    @property
    def key(self) -> str:
        """Its name in a config file: ``systemName``, ``engine.limits.bytes``."""
        if self.at:
            return self.at
        first, *rest = self.name.split("_")
        return first + "".join(word.capitalize() for word in rest)

    @property
    def variable(self) -> str:
        """The environment variable that gives it: ``LDIMPORT_SYSTEM_NAME``."""
        return "LDIMPORT_" + self.option[2:].upper().replace("-", "_")

    def value(self, raw: object, where: Where) -> Value:
        """A checked value. Raises ConfigError, or UsageError for a flag."""
        return Value(self.read(raw, where), where.source)


def _of_engine(
    name: str, at: str, read: Reader, default: object = None, option: str = ""
) -> Setting:
    """One of the ``engine:`` block."""
    return Setting(name, read, option, at=f"engine.{at}", default=default)


_LIMITS, _JOB = Limits(), JobOptions()
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
    Setting("heartbeat", _heartbeat, "--heartbeat", dangerous=True),
    Setting("context", _context, "--context"),
    Setting("manifest", _mapping),
    Setting("daily_limit", _amount(0, 1_000_000_000, "50k"), "--daily-limit"),
    Setting("reserve", _amount(0, 1_000_000_000, "1k"), "--reserve", default=0),
    Setting("tries", _count, "--tries", default=5),
    Setting("max_failures", _max_failures, "--max-failures", before="LDIMPORT_FAIL_ON"),
    Setting("user_agent", _user_agent, "--user-agent"),
    Setting("ca_file", read_path, dangerous=True),
    Setting("requests_per_second", _per_second, default=REQUESTS_PER_SECOND),
    Setting("insecure", _flag, "--insecure", in_file=False),
    _of_engine("max_bytes", "limits.bytes", _amount(1, 1_000_000_000), _LIMITS.max_bytes),
    _of_engine("max_pixels", "limits.pixels", _amount(1, 1_000_000_000), _LIMITS.max_pixels),
    _of_engine("max_frames", "limits.frames", _amount(1, 1_000_000), _LIMITS.max_frames),
    _of_engine("max_body", "limits.body", _amount(1_000, 64_000_000), MAX_BODY_BYTES),
    _of_engine("formats", "formats", _formats, _JOB.formats),
    _of_engine("exif_precedence", "exifPrecedence", _one_of(ExifPrecedence), _JOB.exif_precedence),
    _of_engine("publishing", "publishing", _one_of(Publishing), Publishing.ENFORCE),
    _of_engine("nulls", "nulls", _one_of(Nulls), _JOB.nulls),
    _of_engine("key_in_results", "keyInResults", _flag, False),
    _of_engine("public_url", "publicUrl", _such(is_http_url, _HTTP), option="--public-url"),
    _of_engine("variants", "variants", _one_of(Variants), Variants.FORMAT),
    _of_engine("rendition_bytes", "renditionCache", _amount(0, 10**12, "512MB"), RENDITION_BYTES),
)
"""Every setting but profile and token, in the order of ``config show``."""
