"""``ldimport init``: an ``ldimport.yaml`` and an empty manifest to start from, or a mapping for a
manifest that there is."""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

import typer

from ldimport.cli.command import Command
from ldimport.cli.output.documents import Document
from ldimport.cli.session import Session
from ldimport.migration.init import Start, columns, write_mapping, write_start
from ldimport.migration.propose import Proposal, propose, survey
from ldimport.schema.findings import listed
from ldimport.settings import Settings, UserFolders
from ldimport.settings.files import read_agreeable
from ldimport.wording import clean, counted


def init(
    session: Session,
    folder: Path | None = None,
    media_type: str | None = None,
    root: str | None = None,
    force: bool = False,
) -> None:
    """Write a commented ldimport.yaml and an empty manifest with the right columns; or, given a
    manifest, an ldimport.yaml beside it that proposes how its columns and values are mapped.

    The columns come from the project config: --project-config FILE, or the server at --target.
    """
    manifest = folder if folder is not None and folder.is_file() else None
    place = (folder or Path()) if manifest is None else manifest.parent
    settings = session.settings
    name = settings.system_name or _ask_name(session, place)
    config = session.project_config()
    found = columns(config, media_type)
    proposed = clean(place.resolve().name) or "archive"
    relative = _beside(settings, place)
    start = Start(settings.target, name or proposed, relative, named=name is not None)
    proposal = None if manifest is None else propose(survey(manifest, root), config)
    if proposal is None:
        written: tuple[Path, ...] = write_start(place, start, found, overwrite=force)
    else:
        written = (write_mapping(place, start, proposal, found, overwrite=force),)
    folders = UserFolders.of(None)
    folders.trusted.add(written[0], read_agreeable(written[0], folders.home))  # the user's own
    if session.options.json:
        needed = [column.name for column in found if column.required]
        files = [str(path) for path in written]
        session.document({"format": 1, "files": files, "required": needed, **_told(proposal)})
    else:
        _show(session, written, manifest, proposal, named=start.named)


def _told(found: Proposal | None) -> Document:
    if found is None:
        return {}
    mapping = {"mapping": found.columns, "values": found.values, "dates": found.dates}
    return {**mapping, "unused": found.unused, "missing": found.missing}


def _show(
    session: Session,
    written: Sequence[Path],
    manifest: Path | None,
    found: Proposal | None,
    *,
    named: bool,
) -> None:
    for path in written:
        session.screen.say("✓", f"wrote {path}")
    if found is not None:
        filled = counted(len(found.columns), "field")
        session.screen.say("✓", f"mapped {filled}; look at what says “check” in it")
        for label, names in (("no column for", found.missing), ("not used", found.unused)):
            if names:
                session.screen.say("!", f"{label}: {listed(names)}")
    if not named:
        text = "systemName is left open, since it is for ever: --system-name NAME, or in the file"
        session.screen.say("!", text)
    checked = shlex.quote(str(manifest or written[-1]))
    why = "once your rows are in it" if manifest is None else "does the mapping hold?"
    session.screen.hints([(f"ldimport validate {checked}", why)])


def _ask_name(session: Session, place: Path) -> str | None:
    """The archive's name: asked for where somebody can answer; not guessed elsewhere."""
    if not session.can_ask or session.options.json:
        return None
    proposed = clean(place.resolve().name) or "archive"
    return str(typer.prompt("systemName of this archive, for ever", default=proposed, err=True))


def _beside(settings: Settings, place: Path) -> Path | None:
    """The project config file as the new ldimport.yaml names it: from its own folder."""
    path = settings.project_config and settings.project_config.resolve()
    if path is None:
        return None
    try:
        return Path(os.path.relpath(path, place.resolve()))
    except ValueError:  # on another drive
        return path


COMMAND = Command(
    init,
    (
        "ldimport init --project-config project-config.json",
        "ldimport init bilder.csv --project-config project-config.json --system-name archiv",
        "ldimport init archive --target https://edit.example.com/proxy/api --system-name archiv",
    ),
    {
        0: "written",
        2: "a file is there already, no such folder or media type",
        3: "the manifest cannot be read",
        4: "bad project config, token or address",
    },
    also=(5,),
)
