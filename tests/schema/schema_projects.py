"""Small project configs for tests."""

from __future__ import annotations

from ldimport.model import Entry, Json, Place, Severity
from ldimport.schema import config
from ldimport.schema.check import Checked, Checker, CheckOptions
from ldimport.schema.config import ProjectConfig


def item_list(*values: Json) -> dict[str, Json]:
    """A ``dataProvider`` with these values."""
    return {"type": "labelValuePair", "items": [{"label": str(v), "value": v} for v in values]}


def project(**plugins: tuple[str, dict[str, Json]]) -> ProjectConfig:
    """A config with one media type ``image`` that has these properties: handle=(plugin, config)."""
    metadata: list[Json] = [
        {"handle": handle, "type": plugin, "config": settings}
        for handle, (plugin, settings) in plugins.items()
    ]
    image: Json = {"handle": "image", "type": "mediaImage", "metadata": metadata}
    return config.from_json({"mediaTypes": [image]}, origin="test")


def entry(
    metadata: dict[str, Json] | None = None,
    *,
    id: str = "a-1",
    url: str = "https://img.example.com/a.jpg",
    file_name: str | None = "A title",
    media_type: str | None = None,
    textual: bool = False,
    line: int = 2,
) -> Entry:
    """An entry that is right but for what a test changes."""
    place = Place("m.csv", line - 1, line)
    return Entry(id, url, file_name, media_type, metadata or {}, place, textual)


def checked(found: ProjectConfig, one: Entry, options: CheckOptions | None = None) -> Checked:
    """One entry, checked on its own."""
    return Checker(found, options).check(one)


def codes(of: Checked, severity: Severity | None = None) -> list[str]:
    """The codes found, in order; of one severity if asked."""
    return [p.code for p in of.problems if severity is None or p.severity is severity]


def errors(of: Checked) -> list[str]:
    """Codes of errors."""
    return codes(of, Severity.ERROR)


def warnings(of: Checked) -> list[str]:
    """Codes of warnings."""
    return codes(of, Severity.WARNING)
