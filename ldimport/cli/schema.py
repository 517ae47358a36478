"""``ldimport schema``: what ``--json`` prints, as JSON Schema."""

from __future__ import annotations

import json

from ldimport.cli.command import COMMANDS, Command
from ldimport.cli.output import schemas
from ldimport.cli.session import Session
from ldimport.errors import UsageError, did_you_mean
from ldimport.harmless import escaped


def schema(session: Session, words: list[str] | None = None) -> None:
    """Print the JSON Schema (draft 2020-12) of what a command prints with --json: of its document,
    or of one line of JSON Lines. Without a COMMAND: which commands there are.
    """
    wanted = " ".join(words or ()).split()
    if not wanted:
        _list(session)
        return
    named = " ".join(wanted[1:] if wanted[0] == "ldimport" else wanted)
    if named not in schemas.emitted():
        raise _unknown(named)
    text = json.dumps(schemas.schema_of(named), ensure_ascii=True, indent=2)
    session.out.line(escaped(text))


def _unknown(named: str) -> UsageError:
    inner = [each for each in schemas.emitted() if each.startswith(f"{named} ")]
    if inner:
        return UsageError(f"{named} is several commands", hint=f"use one of {', '.join(inner)}")
    known = [*schemas.emitted()]
    hint = did_you_mean(named, known, f"there are {', '.join(COMMANDS)}", "commands")
    return UsageError(f"there is no command “{named}”", hint=hint)


def _list(session: Session) -> None:
    listed = schemas.listed()
    if session.options.json:
        session.document(listed)
        return
    commands = listed["commands"]
    left = max(len(each["command"]) for each in commands)
    for each in commands:
        text = f"{each['command']:<{left}}  {each['output']:<8}  {each['prints']}"
        session.screen.line(text, indent=left + 12)


COMMAND = Command(
    schema,
    ("ldimport schema submit", "ldimport schema state info", "ldimport schema --json"),
    {0: "printed", 2: "no such command"},
)
