"""What ``--json`` emits, command by command, as JSON Schema (draft 2020-12); ``schemas.toml`` says
it, in a short form that stands at its top.

Keys and words may be added at any time (docs/json.md), so nothing is closed: what is always there
is required, and of lists of words those of today are examples.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any

from ldimport.causes import proposable
from ldimport.cli.output.documents import Document
from ldimport.cli.output.preview import WORDS as VERDICTS
from ldimport.engine.access_tokens import TokenScope
from ldimport.engine.records import Delivery
from ldimport.errors import ExitCode
from ldimport.manifest.kinds import ManifestFormat
from ldimport.migration.proof import Proof
from ldimport.migration.story import StepKind
from ldimport.model import JobState, Json, Severity, Status
from ldimport.schema.jsonschema import DIALECT, Schema, with_definitions

_SIMPLE: Mapping[str, Schema] = {
    "text": {"type": "string"},
    "time": {"type": "string", "format": "date-time"},
    "count": {"type": "integer", "minimum": 0},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "flag": {"type": "boolean"},
    "null": {"type": "null"},
    "any": {},
}


class Output(StrEnum):
    """What a command prints with ``--json``."""

    DOCUMENT = "document"
    LINES = "lines"
    NOTHING = "nothing"


WORDS: Mapping[str, tuple[str, Sequence[str]]] = {
    "outcome": ("Outcome of an image.", [*Status]),
    "job-state": ("State of a job.", [*JobState]),
    "severity": ("How much a problem matters.", [*Severity]),
    "setting-severity": ("How a setting is.", ["ok", *Severity]),
    "cause-code": ("Why an image failed; `ldimport explain CODE` tells more.", proposable()),
    "proof": ("What the media library has of an image.", [*Proof]),
    "step-kind": ("What happened to an image.", [*StepKind]),
    "verdict": ("What becomes of a row.", [*VERDICTS]),
    "manifest-format": ("Format of a manifest.", [*ManifestFormat]),
    "delivery": ("What became of a notification.", [*Delivery]),
    "token-scope": ("What a token may be used for.", [*TokenScope]),
    "output-kind": ("What a command prints.", [*Output]),
}
"""Lists of words: what they are about, and those of today."""
_MORE = "More may come."


@dataclass(frozen=True, slots=True)
class Emitted:
    """What a command prints: one of these ``documents``, or these kinds of ``lines``; or an
    ``error``. By their names as definitions."""

    documents: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    error: str = "error"

    @property
    def output(self) -> Output:
        """In a word."""
        if self.lines:
            return Output.LINES
        return Output.DOCUMENT if self.documents else Output.NOTHING


@cache
def _said() -> dict[str, Any]:
    text = resources.files(__package__).joinpath("schemas.toml").read_text("utf-8")
    return tomllib.loads(text)


@cache
def emitted() -> Mapping[str, Emitted]:
    """Every command that can be called, by its words."""
    found = {}
    for words, told in _said()["commands"].items():
        if not isinstance(told, dict):
            told = {"documents": [told] if isinstance(told, str) else told}
        lines = tuple(f"line-{each}" for each in told.get("lines", ()))
        found[words] = Emitted(tuple(told.get("documents", ())), lines, told.get("error", "error"))
    return found


@cache
def definitions() -> Mapping[str, Schema]:
    """Every object, line and list of words, as schemas that refer to each other."""
    said = dict(_said())
    said |= {f"line-{name}": keys for name, keys in said.pop("lines").items()}
    del said["commands"]
    found: dict[str, Schema] = {
        name: {"description": f"{text} {_MORE}", "type": "string", "examples": [*map(str, words)]}
        for name, (text, words) in WORDS.items()
    }
    codes = "; ".join(f"{code:d} {code.word}" for code in ExitCode)
    found["exit-code"] = {"description": f"An exit code: {codes}. {_MORE}", "type": "integer",
                          "examples": [*map(int, ExitCode)]}  # fmt: skip
    return found | {name: _object(said, keys) for name, keys in said.items()}


def _object(said: Mapping[str, Any], keys: Mapping[str, Any]) -> Schema:
    told = dict(_keys(said, keys))
    properties: dict[str, Json] = {}
    for key, text in told.items():
        kind, _, meaning = text.removeprefix("?").partition(": ")
        properties[key] = {**_type(kind), "description": meaning}
    needed: list[Json] = [key for key, text in told.items() if not text.startswith("?")]
    schema: Schema = {"description": keys["_"], "type": "object", "properties": properties}
    return {**schema, "required": needed} if needed else schema


def _keys(said: Mapping[str, Any], keys: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for other in keys.get("_with", ()):
        yield from _keys(said, said[other])
    yield from ((key, text) for key, text in keys.items() if key not in ("_", "_with"))


def _type(text: str) -> Schema:
    """``[text]|null`` as a schema."""
    if len(kinds := text.split("|")) > 1:
        schemas = [*map(_type, kinds)]
        names = [each["type"] for each in schemas if "type" in each]
        if len(names) == len(schemas) and kinds[-1] == "null":
            return {**schemas[0], "type": names}
        return {"anyOf": [*schemas]}
    if text[0] == "[":
        return {"type": "array", "items": _type(text[1:-1])}
    if text[0] == "{":
        return {"type": "object", "additionalProperties": _type(text[1:-1])}
    if text[0] == "=":
        return {"type": "string", "const": text[1:]}
    return dict(_SIMPLE.get(text) or {"$ref": f"#/$defs/{text}"}) if text != "any" else {}


def schema_of(words: str) -> Schema:
    """The schema of what a command prints with ``--json``, complete in itself: of its document, or
    of one line. Raises KeyError for words that are no command."""
    found = emitted()[words]
    known = dict(definitions())
    kinds = [_type(each) for each in (*found.documents, *found.lines, found.error)]
    if found.lines:
        types = [*map(_line_type, found.lines)]
        known["line-of-a-newer-version"] = {
            "description": "A type that is not known yet; readers leave such lines out.",
            "type": "object",
            "properties": {"type": {"type": "string", "not": {"enum": [*types, "error"]}}},
            "required": ["type"],
        }
        kinds.append({"$ref": "#/$defs/line-of-a-newer-version"})
    schema: Schema = {
        "$schema": DIALECT,
        "title": f"ldimport {words} --json",
        "description": about(words),
        "oneOf" if found.lines else "anyOf": [*kinds],
    }
    return with_definitions(schema, known)


def _line_type(name: str) -> str:
    keys: Any = definitions()[name]["properties"]
    return str(keys["type"]["const"])


def about(words: str) -> str:
    """What a command prints, in a sentence or two."""
    found, known = emitted()[words], definitions()
    if found.lines:
        text = "JSON Lines. This is the schema of one line, whose `type` says what it is."
        other = f" {_told(known, found.documents)}" if found.documents else ""
        return f"{text} The last line is a summary or an error.{other}"
    if not found.documents:
        return "No JSON but an error."
    return _told(known, found.documents)


def _told(known: Mapping[str, Schema], names: Iterable[str]) -> str:
    return " Or: ".join(str(known[name.strip("[]")]
                            ["description"]) for name in names)  # fmt: skip


def listed() -> Document:
    """Every command and what it prints."""
    commands = [
        {"command": words, "output": each.output.value, "prints": _in_short(each)}
        for words, each in emitted().items()
    ]
    return {"format": 1, "commands": commands}


def _in_short(found: Emitted) -> str:
    """Its types of lines, or what its document is."""
    if found.lines:
        return ", ".join(map(_line_type, found.lines))
    return _told(definitions(), found.documents[:1]) or "no JSON but an error"
