"""Starting a migration: an ``ldimport.yaml`` with comments, and an empty manifest with the columns
that the project config asks for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ldimport.cells import json_text
from ldimport.errors import UsageError
from ldimport.files import NewFile
from ldimport.manifest.write import write_rows
from ldimport.migration.open import media_type
from ldimport.migration.propose import Proposal
from ldimport.model import Json
from ldimport.schema.config import MediaType, ProjectConfig
from ldimport.schema.findings import cut
from ldimport.schema.properties import EXAMPLES, Property
from ldimport.schema.values import ValueCheck

SETTINGS_FILE = "ldimport.yaml"
MANIFEST_FILE = "manifest-template.csv"
"""Not read as a part of a folder: see ``manifest.manifest``."""
_SHOWN = 12


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
    """What ``init`` settles: where images go, the archive's name (``named`` False: a proposal), the
    project config file."""

    target: str
    system_name: str
    project_config: Path | None
    named: bool = True


def columns(config: ProjectConfig, handle: str | None = None) -> list[TemplateColumn]:
    """Columns for images of a media type (by default the project's). Raises UsageError."""
    kind = media_type(config, handle)
    fixed = [
        TemplateColumn("id", True, "names the image in this archive, for ever", "2003-04511"),
        TemplateColumn("url", True, "where to fetch it", "https://example.com/2003/4511.jpg"),
        TemplateColumn("fileName", True, "becomes its title", "Rheinfall bei Neuhausen"),
        TemplateColumn("mediaType", False, f"absent: {config.default_media_type}", kind.handle),
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
    _refuse(folder, (settings, manifest), overwrite=overwrite)
    write_rows(manifest, [{column.name: column.example for column in found}])
    with NewFile(settings) as file:
        file.write(settings_text(start, found))
    return settings, manifest


def write_mapping(
    folder: Path,
    start: Start,
    proposal: Proposal,
    found: Sequence[TemplateColumn],
    *,
    overwrite: bool = False,
) -> Path:
    """Write settings with a proposed mapping; raises UsageError when they are there already."""
    settings = folder / SETTINGS_FILE
    _refuse(folder, (settings,), overwrite=overwrite)
    with NewFile(settings) as file:
        file.write(settings_text(start, found, mapping_text(proposal)))
    return settings


def _refuse(folder: Path, paths: Sequence[Path], *, overwrite: bool) -> None:
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder", code="no-such-file")
    for path in paths:
        if (path.exists() or path.is_symlink()) and not overwrite:
            hint = "use another folder, or --force"
            raise UsageError(f"{path} is there already", hint=hint, code="exists")


_SETTINGS = """\
# Settings of ldimport for this folder and those below it.
# A token never stands here: LDIMPORT_TOKEN holds it, or a file of your own.
{target}
{name}   # names this archive for ever
{config}

{mapping}

# Columns of a manifest:
{columns}
"""


_EXAMPLE = """\
# Where the fields come from, when your columns have other names:
# manifest:
#   url: Bild-URL
#   fileName: "{headline} ({year})\""""


def settings_text(start: Start, found: Sequence[TemplateColumn], mapping: str = _EXAMPLE) -> str:
    """The content of ``ldimport.yaml``: what was settled, and what else can stand there."""
    target = "# target: https://edit.example.com/proxy/api   # absent: the local engine"
    if start.target != "embedded":
        target = f"target: {json_text(start.target)}"
    config = "# projectConfig: project-config.json        # what the project accepts"
    if start.project_config is not None:
        config = f"projectConfig: {json_text(str(start.project_config))}"
    width = max(len(column.name) for column in found)
    lines = (
        f"#   {each.name:<{width}}  {'required' if each.required else 'optional'}  {each.holds}"
        for each in found
    )
    columns = "\n".join("".join(filter(str.isprintable, line)) for line in lines)  # no line more
    name = f"{'' if start.named else '# '}systemName: {json_text(start.system_name)}"
    return _SETTINGS.format(
        target=target, name=name, config=config, columns=columns, mapping=mapping
    )


def mapping_text(found: Proposal) -> str:
    """``manifest:`` as proposed; what a person has to look at stands in comments."""
    lines = ["manifest:   # our field: your column" if found.columns else "# manifest:"]
    for name, column in found.columns.items():
        lines.append(f"  {name}: {_source(column, found.dates.get(name))}{_remark(found, name)}")
    if used := {name: words for name, words in found.values.items() if words}:
        lines.append("  values:   # what stands there: what is meant")
        for name, words in used.items():
            pairs = ", ".join(f"{json_text(word)}: {json_text(to)}" for word, to in words.items())
            lines.append(f"    {name}: {{{pairs}}}")
    for name, unknown in found.open_values.items():
        if unknown:
            lines.append(_comment(f"{name}: nothing found for {_listed(unknown)}"))
    lines += [_comment(f"{name}: no column found; for all rows: {name}: {{value: …}}")
              for name in found.missing]  # fmt: skip
    if found.unused:
        lines.append(_comment(f"not used: {_listed(found.unused)}"))
    if found.relative:
        lines.append(_comment("url is relative: a file below the manifest's folder; for a server: "
                              "baseUrl: https://… (above manifest:)"))  # fmt: skip
    return "\n".join(lines)


def _source(column: str, date: str | None) -> str:
    text = json_text(column)
    if date is not None:
        return f"{{column: {text}, date: {json_text(date)}}}"
    return f"{{column: {text}}}" if "{" in column else text


def _remark(found: Proposal, name: str) -> str:
    why = found.unsure.get(name)
    return "" if why is None else f"   # check: {''.join(filter(str.isprintable, why))}"


def _comment(text: str) -> str:
    return "  # " + "".join(filter(str.isprintable, " ".join(text.split())))


def _listed(words: Sequence[str]) -> str:
    shown = ", ".join(f"“{cut(word)}”" for word in words[:_SHOWN])
    return shown + (f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else "")


# -- a cell for each metadata property that its media type's check has nothing to say about ----


def examples(config: ProjectConfig, kind: MediaType) -> dict[str, str]:
    """By handle: the cell; "" where nothing fits what the config asks for, or where only the
    project knows."""
    return {
        handle: next(filter(ValueCheck(each, config).accepts, _candidates(each)), "")
        for handle, each in kind.properties.items()
    }


def _candidates(found: Property) -> Iterator[str]:
    """Cells that may do, the nicest first."""
    if found.plugin in ("li-string-list", "li-numeric-list"):
        most = min(2, int(found.number("maxItems") or 2))
        usual: list[Json] = [1, 2] if found.plugin == "li-numeric-list" else ["one", "two"]
        for items in (list(found.choices or usual), [1], ["a"]):
            yield "|".join(map(str, items[:most]))
            yield json_text(items[:most])
        return
    yield from map(str, found.choices or ())
    if found.plugin in ("li-integer", "li-system-integer"):
        limits = (found.number("minValue"), found.number("maxValue"))
        yield from (str(each) for each in (1, *limits) if each is not None)
    elif isinstance(text := EXAMPLES.get(found.plugin), str):
        yield from _fitted(text, found)
    else:
        yield from map(json_text, _objects(found))


def _fitted(text: str, found: Property) -> Iterator[str]:
    """The text, as long as the config wants it."""
    for key in ("recommendedMinLength", "minLength"):
        least = int(found.number(key) or 0)
        most = int(found.number(key.replace("Min", "Max").replace("min", "max")) or 0)
        yield (f"{text} " * (least // (len(text) + 1) + 1)).strip()[: most or None]
        yield text.ljust(least, "x")[: most or None]


def _objects(found: Property) -> Iterator[Json]:
    if found.plugin in ("li-document-references", "li-reference-list"):
        count = max(1, int(found.number("min") or 1))
        yield {"$ref": "documents", "references": [{"id": str(n + 42)} for n in range(count)]}
        return
    value = EXAMPLES.get(found.plugin)
    names = list(found.crops or ()) or ["main"]
    area = {"x": 0, "y": 0, "width": 1600, "height": 900}
    crops: Json = [{"name": name, **area} for name in names]
    if found.plugin in ("li-named-crops", "li-image"):
        yield {**(value if isinstance(value, dict) else {}), "crops": crops}
    if value is not None:
        yield value
