"""What stands beside ``images`` in a request body: systemName, webhook, context."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from ldimport.errors import ManifestError
from ldimport.manifest.kinds import Findings, Header
from ldimport.model import MAX_CONTEXT_BYTES, Json, Problem
from ldimport.url import is_http_url
from ldimport.wire import encode

HEADER_KEYS = ("systemName", "webhook", "context")
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def name_fault(system_name: str) -> str:
    """What is wrong with a systemName, which can never be changed; "" when nothing is."""
    if not system_name.strip():
        return "is empty"
    if _INVISIBLE.search(system_name):
        return "has invisible characters"
    return "has blanks at its ends" if system_name != system_name.strip() else ""


class HeaderReader:
    """Takes the keys of one file's header and checks them by the rules of the request."""

    def __init__(self, name: str, findings: Findings) -> None:
        self._name = name
        self._findings = findings
        self._found: dict[str, Json] = {}

    def take(self, key: str, value: Json, line: int, problems: Sequence[Problem] = ()) -> None:
        """One key. Raises ManifestError for what the API refuses, and when it stands there
        twice."""
        if problems:
            fault = f": {problems[0].message}"
        elif key in self._found:
            fault = " stands there twice"
        else:
            fault = _fault(key, value)
        if fault:
            raise ManifestError(f"{self._name}:{line}: {key}{fault}", code="bad-header")
        if value is not None:
            self._found[key] = value

    def unknown(self, key: str) -> None:
        """Any other key: the API has none."""
        self._findings.unknown_key(self._name, key)

    def finish(self) -> Header:
        """The header found."""
        found: Any = self._found
        return Header(found.get("systemName"), found.get("webhook"), found.get("context"))


def merged(headers: Iterable[tuple[str, Header]]) -> Header:
    """One header for several files, each with its name. Raises ManifestError when two differ."""
    result = Header()
    origin = ""
    for name, header in headers:
        if header == Header():
            continue
        if result not in (Header(), header):
            raise ManifestError(
                f"{name} and {origin} differ in systemName, webhook or context",
                hint="import them one after the other",
                code="bad-header",
            )
        result, origin = header, name
    return result


def _fault(key: str, value: Json) -> str:
    """What is wrong with a value; it goes on behind the key."""
    if value is None:
        return ""
    if not isinstance(value, dict if key == "context" else str):
        return f" must be {'an object' if key == 'context' else 'a text'}"
    if key == "webhook":
        return "" if is_http_url(str(value)) else " must be an http or https URL"
    if key == "systemName":
        fault = name_fault(str(value))
        return f" {fault}" if fault else ""
    try:
        size = len(encode(value))
    except (ValueError, RecursionError):
        return " cannot be written as JSON"
    limit = f"the limit is {MAX_CONTEXT_BYTES:,}"
    return f" is {size:,} bytes of JSON, {limit}" if size > MAX_CONTEXT_BYTES else ""
