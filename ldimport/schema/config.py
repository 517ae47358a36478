"""The project config: media types and their metadata, read from a file or a server's answer.

The smallest one is ``{"mediaTypes": [{"handle", "type", "metadata": […]}]}``; every part that
decides about images is checked, and everything wrong with it is said at once. See
``docs/livingdocs-api.md``, "Project config".
"""

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ldimport.errors import ConfigError
from ldimport.faults import json_fault, yaml_fault
from ldimport.model import Json, digest
from ldimport.schema.extraction import fillable, read_mappings
from ldimport.schema.properties import Complaints, Property, labels_of, read_properties
from ldimport.yamlsize import values_in

IMAGE = "mediaImage"
_TYPES = (IMAGE, "mediaVideo", "mediaFile")
_HANDLE = r"[a-z][a-zA-Z0-9-]{2,49}"
_TEXTS: Json = [
    {"handle": handle, "type": "li-text"}
    for handle in ("title", "caption", "source", "description")
]
_DEFAULT_TYPES: Json = [{"handle": "image", "type": IMAGE, "metadata": _TEXTS}]
"""What Livingdocs assumes where no media type is configured."""
_PARTS = frozenset(
    ("v", "$baseRevision", "settings", "editorSettings", "contentTypes", "designSettings")
)
"""Some of what a whole config has beside media types."""
_TYPE_KEYS = ("handle", "type", "metadata", "info", "asset", "exifExtraction", "deletionRoutine")
MAX_BYTES = 50_000_000
_MAX_VALUES = 1_000_000
_NODE_SECONDS = 30.0
_DOWNLOAD = "livingdocs-cli project-config:download --format json --dist FOLDER"


@dataclass(frozen=True, slots=True, eq=False)
class MediaType:
    """One media type for images. ``exif``: (field, property) of ``exifExtraction``, in order;
    ``labels`` are its names for people."""

    handle: str
    properties: Mapping[str, Property]
    exif: tuple[tuple[str, str], ...] = ()
    labels: tuple[str, ...] = ()

    @property
    def fillable(self) -> frozenset[str]:
        """The properties that the file's own metadata may fill."""
        return fillable(self.properties, self.exif)


@dataclass(frozen=True, slots=True, eq=False)
class ProjectConfig:
    """What a project accepts.

    ``media_types`` are those for images, ``others`` the handles of the rest; ``raw`` is the
    config as it was given, ``digest`` its sha256, ``origin`` where it came from, for screens;
    ``locales`` and ``licences`` are what two plugins refer to, None where the config says nothing.
    """

    media_types: Mapping[str, MediaType]
    default_media_type: str
    raw: Json
    digest: str
    origin: str = ""
    revision: int | None = None
    others: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    is_default: bool = False
    locales: tuple[str, ...] | None = None
    licences: tuple[str, ...] | None = None


def default() -> ProjectConfig:
    """The documented default: one media type ``image``."""
    return _read({"mediaTypes": _DEFAULT_TYPES}, "default", is_default=True)


def from_json(body: Json, *, origin: str = "") -> ProjectConfig:
    """Read a config as a server answers it. Raises ConfigError with every complaint."""
    return _read(body, origin)


def load(path: Path) -> ProjectConfig:
    """Read a config file (JSON or YAML), or the folder that ``livingdocs-cli
    project-config:download`` wrote. Raises ConfigError."""
    if path.is_dir():
        return _load_folder(path)
    return _read(_parsed(path, _content(path)), str(path))


def _load_folder(folder: Path) -> ProjectConfig:
    for name in ("index.json", "index.yaml", "index.yml"):
        if (folder / name).is_file():
            return load(folder / name)
    if (folder / "index.js").is_file():
        return _read(_javascript(folder), str(folder))
    raise _error(f"{folder} is a folder without index.json", f"{_DOWNLOAD} writes one")


def _javascript(folder: Path) -> Json:
    """A config in livingdocs-cli's own format are modules of JavaScript: Node reads them."""
    node = shutil.which("node")
    hint = f"write it as JSON: {_DOWNLOAD}"
    if node is None:
        raise _error(f"{folder} holds JavaScript, and there is no Node.js to read it", hint)
    script = "process.stdout.write(JSON.stringify(require(require('path').resolve('index.js'))))"
    try:
        done = subprocess.run(
            [node, "-e", script], cwd=folder, capture_output=True, timeout=_NODE_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        text = f"{folder}: reading it with Node.js took longer than {_NODE_SECONDS:.0f} s"
        raise _error(text, hint) from error
    if done.returncode != 0:
        told = done.stderr.decode("utf-8", "replace").strip().splitlines()
        why = next((line for line in told if "Error" in line), "Node.js failed")
        raise _error(f"{folder}: {why[:200]}", hint)
    return _parsed(folder / "index.js", done.stdout)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        hint = "--project-config names a JSON or YAML file, or the folder of livingdocs-cli"
        raise _error(f"there is no project config {path}", hint) from error
    except OSError as error:
        raise _error(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise _error(f"{path} is too large for a project config")
    return content


def _error(message: str, hint: str | None = None) -> ConfigError:
    return ConfigError(message, hint=hint, code="project-config")


def _parsed(path: Path, content: bytes) -> Json:
    """JSON, else YAML; a complaint about whichever it looks like."""
    text = content.removeprefix(b"\xef\xbb\xbf")
    start = text.lstrip()[:1]
    try:
        found: Json = json.loads(text)
        return found
    except RecursionError as error:
        raise _unreadable(path, "it is nested too deeply") from error
    except UnicodeDecodeError as error:
        raise _unreadable(path, "it is not UTF-8 text") from error
    except ValueError as error:
        if start in (b"{", b"[", b""):
            raise _unreadable(path, json_fault(error) if start else "it is empty") from error
    return _yaml(path, text)


def _yaml(path: Path, text: bytes) -> Json:
    import yaml

    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
        node = loader.get_single_node()
        if values_in(node, _MAX_VALUES) > _MAX_VALUES:
            raise _unreadable(path, f"it holds more than {_MAX_VALUES:,} values")
        if node is None:
            raise _unreadable(path, "it is empty")
        found: Json = json.loads(json.dumps(loader.construct_document(node), default=str))
        return found
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise _unreadable(path, f"{yaml_fault(error)}{place}") from error
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise _unreadable(path, "it is neither JSON nor YAML") from error


def _unreadable(path: Path, why: str) -> ConfigError:
    hint = "it has to be JSON or YAML with a list mediaTypes"
    return _error(f"{path} cannot be read as a project config: {why}", hint)


def _read(body: Json, origin: str, *, is_default: bool = False) -> ProjectConfig:
    complaints = Complaints()
    if not isinstance(body, dict):
        complaints.wrong("", "must be an object with a list mediaTypes")
        body = {}
    elif "mediaTypes" not in body:
        _missing_types(body, complaints)
    types, others = _media_types(body.get("mediaTypes"), complaints)
    if not types:
        types, _ = _media_types(_DEFAULT_TYPES, complaints)
    chosen = _default_type(body, types, complaints)
    complaints.raise_any(origin or "the project config")
    given = body.get("$baseRevision")
    revision, warnings = given if isinstance(given, int) else None, tuple(complaints.warnings)
    locales = _handles(body, ("settings", "languages", "available"), "locale")
    licences = _handles(body, ("mediaCenter", "licenseProfiles", "profiles"), "handle")
    return ProjectConfig(
        types, chosen, body, digest(body), origin, revision, others, warnings, is_default, locales,
        licences,
    )  # fmt: skip


def _missing_types(body: Mapping[str, Json], complaints: Complaints) -> None:
    """No media types are fine; a typing error, or another file, must not pass for that."""
    if complaints.typos(body, "", ("mediaTypes",), wrong=True):
        return
    if body and not body.keys() & _PARTS:
        complaints.wrong("", "is no project config: it has no list mediaTypes")
    complaints.odd("mediaTypes", "is missing, so the documented media type “image” is assumed")


def _media_types(
    found: Json, complaints: Complaints
) -> tuple[dict[str, MediaType], tuple[str, ...]]:
    """Media types for images by handle, and the handles of the others."""
    types: dict[str, MediaType | None] = {}
    for path, each in complaints.objects(found, "mediaTypes", "handle, type and metadata"):
        complaints.typos(each, path, _TYPE_KEYS)
        handle = complaints.handle(each.get("handle"), f"{path}.handle", _HANDLE, types)
        kind = each.get("type")
        if kind not in _TYPES:
            complaints.wrong(f"{path}.type", f"must be one of {', '.join(_TYPES)}")
        if kind != IMAGE:
            types[handle] = None
            continue
        properties = read_properties(each.get("metadata"), f"{path}.metadata", complaints)
        place = f"{path}.exifExtraction"
        exif = read_mappings(each.get("exifExtraction"), place, properties, complaints)
        if _at(each, ("deletionRoutine", "enabled")) is True:
            text = "removes images that nothing uses: imported ones may vanish"
            complaints.odd(f"{path}.deletionRoutine", text)
        labels = labels_of(each.get("info")) + labels_of(each)
        types[handle] = MediaType(handle, properties, exif, labels)
    others = tuple(handle for handle, each in types.items() if each is None)
    return {handle: each for handle, each in types.items() if each is not None}, others


def _default_type(
    body: dict[str, Json], types: Mapping[str, MediaType], complaints: Complaints
) -> str:
    path = ("settings", "defaultMediaTypes", "mediaImage")
    chosen = _at(body, path)
    if chosen is None:
        return "image"
    if not isinstance(chosen, str) or chosen not in types:
        complaints.wrong(".".join(path), f"there is no media type “{chosen}” for images")
    return str(chosen)


def _handles(body: dict[str, Json], path: tuple[str, ...], key: str) -> tuple[str, ...] | None:
    """The texts under ``key`` in a list of objects; None where there is no such list."""
    found = _at(body, path)
    if not isinstance(found, list):
        return None
    return tuple(str(each[key]) for each in found if isinstance(each, dict) and key in each)


def _at(body: dict[str, Json], path: tuple[str, ...]) -> Json:
    found: Json = body
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found
