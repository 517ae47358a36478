"""``ldimport init``: an ``ldimport.yaml`` and an empty manifest to start from."""

import shlex
from pathlib import Path

import typer

from ldimport.cli.command import Command
from ldimport.cli.output.text import clean
from ldimport.cli.session import Session
from ldimport.migration.init import Start, columns, write_start
from ldimport.settings import Settings, UserFolders
from ldimport.settings.files import read_agreeable


def init(
    session: Session, folder: Path | None = None, media_type: str | None = None, force: bool = False
) -> None:
    """Write a commented ldimport.yaml and an empty manifest with the right columns.

    The columns come from the project config: --project-config FILE, or the server at --target.
    """
    place = folder or Path()
    settings = session.settings
    name = settings.system_name or _ask_name(session, place)
    found = columns(session.project_config(), media_type)
    start = Start(settings.target, name, _beside(settings, place))
    written = write_start(place, start, found, overwrite=force)
    folders = UserFolders.of(None)
    folders.trusted.add(written[0], read_agreeable(written[0], folders.home))  # the user's own
    if session.options.json:
        needed = [column.name for column in found if column.required]
        files = [str(path) for path in written]
        session.document({"format": 1, "files": files, "required": needed})
        return
    for path in written:
        session.screen.say("✓", f"wrote {path}")
    session.screen.hints(
        [(f"ldimport validate {shlex.quote(str(written[1]))}", "once your rows are in it")]
    )


def _ask_name(session: Session, place: Path) -> str:
    """The archive's name: asked for where somebody can answer, else the folder's."""
    proposed = clean(place.resolve().name) or "archive"
    if not session.can_ask or session.options.json:
        return proposed
    return str(typer.prompt("systemName of this archive, for ever", default=proposed, err=True))


def _beside(settings: Settings, place: Path) -> Path | None:
    """The project config file as the new ldimport.yaml names it: relative where that is short."""
    path = settings.project_config and settings.project_config.resolve()
    if path is not None and path.is_relative_to(place.resolve()):
        return path.relative_to(place.resolve())
    return path


COMMAND = Command(
    init,
    (
        "ldimport init --project-config project-config.json",
        "ldimport init archive --target https://edit.example.com/proxy/api --system-name archiv",
    ),
    {
        0: "written",
        2: "a file is there already, no such folder or media type",
        4: "bad project config, token or address",
    },
    also=(5,),
)
