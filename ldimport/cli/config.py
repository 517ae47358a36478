"""``ldimport config``: which settings are in force, do they work, what do they ask of metadata."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ldimport.cli.command import Command, Group
from ldimport.cli.output.documents import fields_of
from ldimport.cli.output.screen import ACCENT, BAD, GAP, GOOD, WAIT, Screen, TableColumn, table
from ldimport.cli.output.text import cells
from ldimport.cli.session import Session
from ldimport.errors import ExitCode, LdimportError, UsageError
from ldimport.model import Severity

if TYPE_CHECKING:
    from ldimport.settings import Settings
    from ldimport.settings.checking import SettingFinding

_SIGNS = {None: ("✓", GOOD), Severity.WARNING: ("!", WAIT), Severity.ERROR: ("✗", BAD)}


def show(session: Session) -> None:
    """Show every setting that is in force and where it comes from; secrets are masked."""
    from ldimport.settings import describe

    rows = describe(session.settings)
    if session.options.json:
        settings = {row.key: {"value": row.value, "source": row.source} for row in rows}
        session.document({"format": 1, "settings": settings})
    else:
        _settings(session.screen, [(row.key, row.value or "-", row.source) for row in rows])


def _settings(screen: Screen, rows: Sequence[tuple[str, str, str]]) -> None:
    """A table where all of it fits, else lines, with a long value below its name: a path is there
    to be copied, so it is never cut."""
    columns = (TableColumn("SETTING"), TableColumn("VALUE"), TableColumn("FROM"))
    widest = sum(max(map(cells, column)) for column in zip(*rows, strict=True)) + 2 * GAP
    if screen.width is None or widest <= screen.width:
        table(screen, columns, rows)
        return
    left = max(len(key) for key, *_ in rows)
    for key, value, source in rows:
        where = f"  ({source})" if source else ""
        head = (f"{key:<{left}}", ACCENT)
        if left + 2 + cells(value) + cells(where) <= screen.width:
            screen.line(head, f"  {value}{where}")
        else:
            screen.line(head, where)
            screen.verbatim(f"  {value}")


def check(session: Session) -> ExitCode:
    """Try address, token and scopes, without sending anything."""
    from ldimport.settings import check as look

    found = [*look(session.settings, session.now, session.tell), *_project_config(session.settings)]
    if not any(each.severity is Severity.ERROR for each in found):
        found += _mapping(session)
    wrong = any(each.severity is Severity.ERROR for each in found)
    code = ExitCode.CONFIG if wrong else ExitCode.OK
    if session.options.json:
        findings = [{**fields_of(each), "severity": each.severity or "ok"} for each in found]
        session.document({"format": 1, "findings": findings, "exitCode": int(code)})
        return code
    screen = session.screen
    left = max(len(each.subject) for each in found)
    for each in found:
        text = f" {each.subject:<{left}}  {each.message}"
        screen.line(_SIGNS[each.severity], text, indent=left + 4)
        if each.hint:
            screen.line(" " * (left + 4), ("→ ", ACCENT), each.hint, indent=left + 6)
    return code


def _project_config(settings: Settings) -> list[SettingFinding]:
    """The project config file, where one is named."""
    from ldimport.migration.open import project_config
    from ldimport.settings.checking import SettingFinding

    if settings.project_config is None:
        return []
    config = project_config(settings.project_config)
    kinds = ", ".join(config.media_types)
    told = [(f"{settings.project_config}: {kinds}", None)]
    warned = [(text, Severity.WARNING) for text in config.warnings]
    return [SettingFinding("project config", kind, text) for text, kind in [*told, *warned]]


def _mapping(session: Session) -> list[SettingFinding]:
    """What ``manifest:`` maps, against the project."""
    from ldimport.manifest.mapping import FieldMap
    from ldimport.migration.mapping import mistakes
    from ldimport.settings.checking import SettingFinding

    if not (mapping := session.settings.manifest):
        return []
    columns = FieldMap.from_config(mapping, session.settings.sources.get("manifest", ""))
    try:
        wrong = [*mistakes(columns, session.project_config())]
    except LdimportError as error:  # no leave to read it: told above
        return [SettingFinding("mapping", Severity.WARNING, f"not looked at: {error.message}")]
    told = [SettingFinding("mapping", Severity.ERROR, f"{each.where}: {each.text}", each.hint)
            for each in wrong]  # fmt: skip
    fields = columns.common | {name for own in columns.by_type.values() for name in own.common}
    right = SettingFinding("mapping", None, f"{len(fields)} fields are filled by manifest:")
    return told or [right]


def schema(session: Session, media_type: str | None = None) -> None:
    """Print the JSON Schema (draft 2020-12) that a media type's metadata must meet."""
    import json

    from ldimport.harmless import escaped
    from ldimport.migration.open import json_schema

    body = json_schema(session.project_config(), media_type)
    session.out.line(escaped(json.dumps(body, ensure_ascii=True, indent=2)))


def trust(
    session: Session, files: list[Path] | None = None, revoke: bool = False, list_: bool = False
) -> None:
    """Agree to what a project file says now: target, webhook, private hosts, places to write to;
    or to the webhook that a manifest names.

    Without a FILE: the ldimport.yaml of this folder or of one above it. Once what was agreed to
    changes, it asks for agreement again.
    """
    from ldimport.settings import UserFolders, project_file

    trusted = UserFolders.of(None).trusted
    if not list_:
        found = project_file(Path())
        paths = files or ([] if found is None else [found])
        if not paths:
            raise UsageError("there is no ldimport.yaml here or above", code="no-such-file")
        for path in paths:
            if not revoke:
                trusted.add(path, _digest(path))
                session.notes.say("✓", f"agreed to {path}")
            elif trusted.remove(path):
                session.notes.say("✓", f"no longer agreed to {path}")
            else:
                raise UsageError(f"{path}: was not agreed to", code="no-such-file")
    if session.options.json:
        session.document({"format": 1, "trusted": dict(trusted.all())})
    elif list_:
        for name in trusted.all():
            session.screen.line(name)


def _digest(path: Path) -> str:
    """What is agreed to in a project file, or in a manifest."""
    from ldimport.manifest import open_manifest
    from ldimport.settings import UserFolders
    from ldimport.settings.files import DOTFILE, PROJECT_FILE, read_agreeable
    from ldimport.settings.trust import digest_of

    if not path.exists():
        raise UsageError(f"{path}: there is no such file", code="no-such-file")
    if path.is_file() and path.name not in (PROJECT_FILE, DOTFILE):
        with open_manifest([path]) as manifest:
            if named := [*manifest.webhooks.values()]:
                return digest_of(named[0])
        raise UsageError(f"{path} names no webhook, so there is nothing to agree to")
    return read_agreeable(path, UserFolders.of(None).home)


SHOW_EXAMPLES = ("ldimport config show", "ldimport config show --profile tagblatt")
TRUST_EXAMPLES = ("ldimport config trust", "ldimport config trust --revoke old/ldimport.yaml")
CHECK_EXITS = {0: "address, token and scopes work", 4: "something does not work; it says what"}
SCHEMA_EXAMPLES = ("ldimport config schema image --project-config project-config.json",)
COMMAND = Group(
    "config",
    "Settings: which are in force, whether they work, and what metadata must look like.",
    (
        Command(show, SHOW_EXAMPLES, {0: "shown"}, also=(2, 4)),
        Command(check, ("ldimport config check --profile tagblatt",), CHECK_EXITS, also=(2,)),
        Command(trust, TRUST_EXAMPLES, {0: "remembered", 2: "no such file"}, also=(3, 4)),
        Command(schema, SCHEMA_EXAMPLES, {0: "printed", 2: "unknown media type"}, also=(4,)),
    ),
)
