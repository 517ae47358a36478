"""Starting a migration: an ``ldimport.yaml`` with comments, and an empty manifest with the columns
that the project config asks for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ldimport.errors import UsageError
from ldimport.files import NewFile
from ldimport.manifest.write import write_rows
from ldimport.migration.examples import examples
from ldimport.model import Json
from ldimport.schema.config import ProjectConfig

SETTINGS_FILE = "ldimport.yaml"
MANIFEST_FILE = "manifest-template.csv"


@dataclass(frozen=True, slots=True)
class TemplateColumn:
    """A column of the template: its name, whether every row needs it, what it holds, and the
    example row's cell."""

    name: str
    required: bool
    holds: str
    example: Json


@dataclass(frozen=True, slots=True)
class Start:
    """What ``init`` settles: where images go, the archive's name, the project config file."""

    target: str
    system_name: str
    project_config: Path | None


def columns(config: ProjectConfig, media_type: str | None = None) -> list[TemplateColumn]:
    """Columns for images of a media type (by default the project's). Raises UsageError."""
    handle = media_type or config.default_media_type
    kind = config.media_types.get(handle)
    if kind is None:
        raise UsageError(
            f"the project has no media type “{handle}”",
            hint=f"it has: {', '.join(config.media_types)}",
            code="unknown-media-type",
        )
    fixed = [
        TemplateColumn("id", True, "names the image in this archive, for ever", "2003-04511"),
        TemplateColumn("url", True, "where to fetch it", "https://example.com/2003/4511.jpg"),
        TemplateColumn("fileName", True, "becomes its title", "Rheinfall bei Neuhausen"),
        TemplateColumn("mediaType", False, f"absent: {config.default_media_type}", handle),
    ]
    cells = examples(config, kind)
    return fixed + [
        TemplateColumn(f"metadata.{handle}", each.required, each.plugin, cells[handle])
        for handle, each in kind.properties.items()
    ]


def write_start(
    folder: Path, start: Start, found: Sequence[TemplateColumn], *, overwrite: bool = False
) -> tuple[Path, Path]:
    """Write both files into ``folder``; raises UsageError when one is there already."""
    settings, manifest = folder / SETTINGS_FILE, folder / MANIFEST_FILE
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder", code="no-such-file")
    for path in (settings, manifest):
        if path.exists() and not overwrite:
            raise UsageError(
                f"{path} is there already", hint="use another folder, or --force", code="exists"
            )
    write_rows(manifest, [{column.name: column.example for column in found}])
    with NewFile(settings) as file:
        file.write(settings_text(start, found))
    return settings, manifest


_SETTINGS = """\
# Settings of ldimport for this folder and those below it.
# A token never stands here: LDIMPORT_TOKEN holds it, or a file of your own.
{target}
systemName: {name}   # names this archive for ever
{config}

# Where the fields come from, when your columns have other names:
# manifest:
#   url: Bild-URL
#   fileName: "{{headline}} ({{year}})"

# Columns of a manifest:
{columns}
"""


def settings_text(start: Start, found: Sequence[TemplateColumn]) -> str:
    """The content of ``ldimport.yaml``: what was settled, and what else can stand there."""
    target = "# target: https://edit.example.com/proxy/api   # absent: the local engine"
    if start.target != "embedded":
        target = f"target: {_quoted(start.target)}"
    config = "# projectConfig: project-config.json        # what the project accepts"
    if start.project_config is not None:
        config = f"projectConfig: {_quoted(str(start.project_config))}"
    width = max(len(column.name) for column in found)
    columns = "\n".join(
        f"#   {each.name:<{width}}  {'required' if each.required else 'optional'}  {each.holds}"
        for each in found
    )
    name = _quoted(start.system_name)
    return _SETTINGS.format(target=target, name=name, config=config, columns=columns)


def _quoted(text: str) -> str:
    """A YAML scalar in double quotes, which JSON's form is too."""
    return json.dumps(text, ensure_ascii=False)
