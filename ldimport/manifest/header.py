"""What stands beside ``images`` in a request body: systemName, webhook, context."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ldimport.errors import ManifestError
from ldimport.manifest.findings import Findings
from ldimport.manifest.kinds import Header
from ldimport.model import Json, Problem

HEADER_KEYS = ("systemName", "webhook", "context")


class HeaderReader:
    """Takes the keys of one file's header and checks their types; their content is checked with
    the request."""

    def __init__(self, name: str, findings: Findings) -> None:
        self._name = name
        self._findings = findings
        self._found: dict[str, Json] = {}

    def take(self, key: str, value: Json, line: int, problems: Sequence[Problem] = ()) -> None:
        """One key. Raises ManifestError for a wrong type, and when it stands there twice."""
        where = f"{self._name}:{line}"
        if problems:
            raise ManifestError(f"{where}: {key}: {problems[0].message}", code="bad-header")
        if key in self._found:
            raise ManifestError(f"{where}: {key} stands there twice", code="bad-header")
        if value is None:
            return
        kind = dict if key == "context" else str
        if not isinstance(value, kind):
            wanted = "an object" if key == "context" else "a text"
            raise ManifestError(f"{where}: {key} must be {wanted}", code="bad-header")
        self._found[key] = value

    def unknown(self, key: str) -> None:
        """Any other key: the API has none."""
        self._findings.unknown_key(self._name, key)

    def finish(self) -> Header:
        """The header found."""
        context = self._found.get("context")
        return Header(
            _text(self._found.get("systemName")),
            _text(self._found.get("webhook")),
            context if isinstance(context, dict) else None,
        )


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


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) else None
