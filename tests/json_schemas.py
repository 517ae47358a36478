"""What ``--json`` prints is held against its schema, in every test that runs a command line.

The schemas are open, as keys and words may be added at any time; here they are closed, so that
neither can come without its line in ``schemas.toml``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import deepcopy
from functools import cache, wraps
from typing import Any

from jsonschema import Draft202012Validator

MOST_OF_A_LIST = 200
"""Of long lists no more are looked at."""
_OF_ANOTHER = "json-schema"
"""Its keys are those of JSON Schema."""
_OPEN_WORDS = {"cause-code", "exit-code"}
"""Targets have causes of their own; 139 is an exit code, too."""


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema that takes only the keys and words of today, and times as we write them."""
    found = deepcopy(schema)
    definitions = found.get("$defs", {})
    definitions.pop("line-of-a-newer-version", None)
    for name, each in definitions.items():
        if each.get("properties") and name != _OF_ANOTHER:
            each["additionalProperties"] = False
        if "examples" in each and name not in _OPEN_WORDS:
            each["enum"] = each["examples"]
        for value in each.get("properties", {}).values():
            if value.get("format") == "date-time":
                value["pattern"] = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"
            assert value.get("description"), f"{name}: {value} has no meaning"
    return found


@cache
def branches(words: str) -> list[Draft202012Validator]:
    """What a command may print, one after the other."""
    from ldimport.cli.output.schemas import schema_of

    schema = closed(schema_of(words))
    found = [*schema.get("oneOf", ()), *schema.get("anyOf", ())]
    return [
        Draft202012Validator({**each, "$defs": schema["$defs"]})
        for each in found
        if each != {"$ref": "#/$defs/line-of-a-newer-version"}
    ]


def faults(words: str, document: Any) -> list[str]:
    """What of a document its schema does not say; empty where it fits."""
    told = _short(document)
    every = [list(validator.iter_errors(told)) for validator in branches(words)]
    fewest = min(every, key=len)
    return [f"{words}: {each.json_path}: {each.message[:500]}" for each in fewest]


def _short(value: Any) -> Any:
    if isinstance(value, list):
        return [*map(_short, value[:MOST_OF_A_LIST])]
    return {key: _short(each) for key, each in value.items()} if isinstance(value, dict) else value


def command_of(arguments: Sequence[str]) -> str:
    """The command that a command line calls; one that nobody knows prints errors as any does."""
    from ldimport.cli.app import hoist
    from ldimport.cli.output.schemas import emitted

    words = hoist(list(arguments))
    known = (" ".join(words[:2]), *words[:1])
    return next((each for each in known if each in emitted()), "completion")


def hold() -> None:
    """From now on every command line that this process runs fails, once it has ended, if it printed
    what its schema does not say."""
    from ldimport.cli import run as runs
    from ldimport.cli.output import lists
    from ldimport.cli.output.stream import Stream

    state: dict[str, Any] = {"words": "completion", "begun": ""}
    found: list[str] = []
    real_run, real_document, real_json = runs.run, Stream.document, lists.write_json

    def check(text: str) -> None:
        try:
            document = json.loads(text)
        except json.JSONDecodeError:
            state["torn"] = text
        else:
            found.extend(faults(state["words"], document))

    @wraps(real_run)
    def run(arguments: Sequence[str]) -> int:
        state.update(words=command_of(arguments), begun="", torn="")
        found.clear()
        code = real_run(arguments)
        assert code or not state["torn"], state["torn"]
        assert not found, found[:10]
        return code

    @wraps(real_document)
    def document(self: Stream, text: str, *, end: str = "\n") -> None:
        state["begun"] += text
        if end:
            whole, state["begun"] = state["begun"], ""
            check(whole)
        real_document(self, text, end=end)

    @wraps(real_json)
    def write_json(file: Any, *args: Any) -> None:
        kept: list[str] = []

        class Both:
            def write(self, text: str) -> None:
                kept.append(text)
                file.write(text)

        real_json(Both(), *args)
        check("".join(kept))

    runs.run, Stream.document, lists.write_json = run, document, write_json  # type: ignore[method-assign,assignment]


def prepare() -> None:
    """Make all schemas, for processes that are forked from this one."""
    from ldimport.cli.output.schemas import emitted

    for words in emitted():
        branches(words)
