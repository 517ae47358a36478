"""Config files, ours and ``.livingdocs-cli``: small YAML, read safely, with the line of each key;
in ours every key and value is checked, also those of profiles that are not in use."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ldimport import credentials
from ldimport.errors import ConfigError, did_you_mean
from ldimport.faults import yaml_fault
from ldimport.settings.trust import digest_of
from ldimport.settings.values import SETTINGS, Layer, Value, Where, read_path
from ldimport.yamlsize import values_in

if TYPE_CHECKING:
    from yaml import SafeLoader

PROJECT_FILE = "ldimport.yaml"
DOTFILE = ".livingdocs-cli"
MAX_BYTES = 262_144
_MAX_NODES = 20_000  # with every alias written out, as JSON would
_TOKEN_KEYS = ("token", "tokenFile", "tokenCommand")
_IN_FILE = {each.key: each for each in SETTINGS if each.in_file and not each.at}
ENGINE = "engine"
_BELOW = {f"{ENGINE}.folder": _IN_FILE[ENGINE], **{each.at: each for each in SETTINGS if each.at}}
"""What stands below a key, if that is no text: ``engine`` alone names the engine's folder too."""


class ConfigFile(NamedTuple):
    """A checked file: its settings at the top, and those of each profile; ``digest`` of all that
    it says, and of the programs that it names; ``private`` is the user's own."""

    path: Path
    digest: str
    private: bool
    top: Layer
    profiles: Mapping[str | None, Layer]

    @property
    def sections(self) -> Mapping[str, Layer]:
        """All that it says, by what stands before the keys: nothing, ``profiles.NAME.``."""
        return {"": self.top, **{f"profiles.{name}.": each for name, each in self.profiles.items()}}

    def layers(self, profile: str | None) -> tuple[Layer, Layer]:
        """What it says with this profile, the one that counts first."""
        return self.profiles.get(profile, {}), self.top


def read_file(path: Path, home: Path, *, private: bool) -> ConfigFile:
    """Read and check a whole config file, profiles that are not in use included. ``private`` is
    the user's own one, which alone may name a command that prints the token. Raises ConfigError
    with file, line and key."""
    body, digest = read_yaml(path)
    reader = _FileReader(path, home, private)
    named = body.pop("profiles", None)
    named = Section() if named is None else named
    if not isinstance(named, Section):
        raise reader.where(body, "profiles").error("must be a mapping of names to settings")
    profiles: dict[str | None, Layer] = {
        name: reader.layer(raw, reader.where(named, "profiles", name), "profiles", name)
        for name, raw in named.items()
    }
    top = reader.layer(body, reader.where(body, ""))
    for layer in (top, *profiles.values()):
        digest = _with_program(digest, layer)
    return ConfigFile(path, digest, private, top, profiles)


def _with_program(digest: str, layer: Layer) -> str:
    """The digest that covers also what Node.js would run to read the project config: its
    ``index.js``, not the modules that this loads (``schema.config``)."""
    named = layer.get("projectConfig")
    with suppress(OSError):
        if named and (program := named.value / "index.js").is_file():
            with program.open("rb") as file:
                return digest_of(digest + hashlib.file_digest(file, "sha256").hexdigest())
    return digest


def read_engine_file(path: Path, home: Path) -> Layer:
    """What a file says that holds an ``engine:`` block and nothing else, with or without that key
    above it. Raises ConfigError with file, line and key."""
    body, _ = read_yaml(path)
    inner = body.get(ENGINE) if set(body) == {ENGINE} else body
    reader = _FileReader(path, home, private=True)
    if isinstance(inner, Section):
        return reader.below(inner, ENGINE)
    return reader.layer(body, reader.where(body, ENGINE))


def read_agreeable(path: Path, home: Path) -> str:
    """The digest of a project file or a ``.livingdocs-cli``, to be agreed to."""
    if path.name == DOTFILE:
        return read_yaml(path)[1]
    return read_file(path, home, private=False).digest


@dataclass(frozen=True, slots=True)
class _FileReader:
    path: Path
    home: Path
    private: bool

    def where(self, section: Section, *keys: str) -> Where:
        """The place of the last key, which stands in ``section``."""
        line = section.lines.get(keys[-1])
        place = f"{self.path}:{line}" if line else str(self.path)
        profile = keys[1] if keys[0] == "profiles" and len(keys) > 2 else None
        source = str(self.path) if profile is None else f"{self.path} (profile {profile})"
        return Where(f"{place}: {'.'.join(keys)}", source, self.path.parent, self.home)

    def layer(self, section: object, where: Where, *at: str) -> Layer:
        if section is None:
            return {}
        if not isinstance(section, Section):
            raise where.error("must be a mapping of settings")
        found: Layer = {}
        for key, raw in section.items():
            where = self.where(section, *at, key)
            if key in _TOKEN_KEYS:
                if "token" in found:
                    raise where.error("is a second source of the token", "keep one of the two")
                found["token"] = self.token(key, raw, where)
            elif key == ENGINE and isinstance(raw, Section | None):
                found |= self.below(raw or Section(), ENGINE, *at)
            elif key in _IN_FILE:
                if key == "context" and isinstance(raw, str) and raw.startswith("@"):
                    self.check_below(read_path(raw[1:], where), where, "LDIMPORT_CONTEXT")
                found[key] = _IN_FILE[key].value(raw, where)
            else:
                raise where.error("is not a setting", _meant(key))
        return found

    def below(self, section: Section, path: str, *at: str) -> Layer:
        """The settings of a block, and of blocks in it; ``path`` is what it stands below."""
        found: Layer = {}
        for key, raw in section.items():
            name, where = f"{path}.{key}", self.where(section, *at, *path.split("."), key)
            inner = any(each.startswith(f"{name}.") for each in _BELOW)
            if name in _BELOW:
                found[_BELOW[name].key] = _BELOW[name].value(raw, where)
            elif inner and isinstance(raw, Section | None):
                found |= self.below(raw or Section(), name, *at)
            elif inner:
                raise where.error("must be a mapping of settings")
            else:
                start = f"{path}."
                known = {each.removeprefix(start).partition(".")[0]: None
                         for each in _BELOW if each.startswith(start)}  # fmt: skip
                hint = did_you_mean(key, known, f"known are {', '.join(known)}")
                raise where.error("is not a setting", hint)
        return found

    def token(self, key: str, raw: object, where: Where) -> Value:
        if key == "token":
            hint = "keep the token in LDIMPORT_TOKEN, or in a file of its own named by tokenFile"
            raise where.error("must not stand in a config file", hint)
        if key == "tokenCommand":
            return Value(self.command(raw, where), where.source)
        path = read_path(raw, where)
        self.check_below(path, where, "LDIMPORT_TOKEN_FILE")
        return Value(credentials.from_file(path), where.source)

    def check_below(self, path: Path, where: Where, variable: str) -> None:
        """What a file of the user holds is not for a project's file to send away."""
        if not self.private and not path.resolve().is_relative_to(self.path.parent.resolve()):
            hint = f"set {variable}, or name it in your own config file"
            raise where.error(f"must name a file below {self.path.parent}", hint)

    def command(self, raw: object, where: Where) -> credentials.Secret:
        if not self.private:
            raise where.error("is read from your own config file only, never from a project's")
        try:
            words = shlex.split(raw) if isinstance(raw, str) else raw
        except ValueError as error:
            raise where.error(f"cannot be split into words: {error}") from None
        if not isinstance(words, list) or not words or not all(isinstance(w, str) for w in words):
            raise where.error("must be a command line, as a text or a list of words")
        if "/" in words[0]:  # else it would be one of the working folder, perhaps a stranger's
            words = [str(read_path(words[0], where)), *words[1:]]
        return credentials.from_command(words, where.name)


def _meant(key: str) -> str:
    """The hint for a key that is none."""
    elsewhere = {each.key: each for each in SETTINGS if not each.in_file}
    if key in elsewhere:
        return f"it stands in no file: {elsewhere[key].option}, or {elsewhere[key].variable}"
    known = (*_IN_FILE, "profiles", *_TOKEN_KEYS[1:])
    return did_you_mean(key, known, f"known are {', '.join(known)}", "settings")


@dataclass(frozen=True, slots=True)
class Dotfile:
    """``.livingdocs-cli`` of livingdocs-cli, the lowest source of settings: its environments by the
    name our ``--profile`` has for them, ``production``, or ``daily-planet/production`` below
    ``projects``. As there, it is looked for in the working folder only, counts only when one of
    them is named, and its entry is taken as a whole (docs/livingdocs-api.md, "Project config")."""

    path: Path
    digest: str
    environments: Mapping[str, object]
    aliases: Mapping[str, object]

    def layer(self, profile: str) -> Layer:
        """Address and token of one environment; empty when there is none of that name. Raises
        ConfigError for an address that is none."""
        entry = self.environments.get(self.name(profile))
        if not isinstance(entry, Mapping):
            return {}
        source = f"{self.path} ({profile})"
        where = Where(f"{self.path}: {profile}: host", source, self.path.parent, Path.home())
        layer: Layer = {}
        if entry.get("host"):
            layer["target"] = SETTINGS[0].value(entry["host"], where)
        if isinstance(entry.get("token"), str) and entry["token"]:
            layer["token"] = Value(credentials.Secret(entry["token"], source), source)
        return layer

    def name(self, profile: str) -> str:
        """``profile`` with the dotfile's aliases replaced, in each of its parts."""
        parts = (self.aliases.get(part, part) for part in profile.split("/"))
        return "/".join(str(part) for part in parts)

    def __contains__(self, profile: str) -> bool:
        return self.name(profile) in self.environments


def read_dotfile(folder: Path) -> Dotfile:
    """The dotfile in ``folder``; an empty one where there is none. What it holds beside
    environments, projects and aliases is its tool's own business."""
    path = folder / DOTFILE
    if not path.is_file():
        return Dotfile(path, "", {}, {})
    body, digest = read_yaml(path)
    environments = dict(_mapping(body.get("environments")))
    for project, content in _mapping(body.get("projects")).items():
        for name, entry in _mapping(_mapping(content).get("environments")).items():
            environments[f"{project}/{name}"] = entry
    return Dotfile(path, digest, environments, _mapping(body.get("alias")))


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


class Section(dict[str, Any]):
    """A mapping of the file; ``lines`` tells where each of its keys stands."""

    def __init__(
        self, content: Iterable[tuple[str, Any]] = (), lines: Mapping[str, int] | None = None
    ) -> None:
        super().__init__(content)
        self.lines = lines or {}


def read_yaml(path: Path) -> tuple[Section, str]:
    """The mapping in a YAML (or JSON) file, and the digest of its text. An empty file is an empty
    mapping; dates stay texts. Raises ConfigError with file and line for anything that cannot be
    read, is no mapping, or names a key twice."""
    import yaml

    text = _text(path)
    try:
        loader = _loader()(text)
        loader.name = str(path)
        node = loader.get_single_node()
        if values_in(node, _MAX_NODES) > _MAX_NODES:
            raise _broken(str(path), f"holds more than {_MAX_NODES:,} values")
        body = None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise _broken(place, yaml_fault(error)) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else yaml_fault(error)
        raise _broken(str(path), why) from error
    if body is not None and not isinstance(body, Section):
        raise _broken(str(path), "expected settings as `key: value` lines")
    return body or Section(), digest_of(text)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        why = f"{path}: cannot be read: {error.strerror}"
        raise ConfigError(why, code="config-file") from error
    if len(content) > MAX_BYTES:
        raise _broken(str(path), f"larger than {MAX_BYTES:,} bytes, so it is no config file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _broken(f"{path}: byte {error.start}", "not UTF-8") from None


def _broken(place: str, why: str) -> ConfigError:
    return ConfigError(f"{place}: {why}", hint="the file has to be YAML", code="config-file")


@cache
def _loader() -> type[SafeLoader]:
    import yaml

    class Loader(yaml.SafeLoader):
        """YAML's safe subset; dates stay as they are written, and every key is a text."""

        def section(self, node: yaml.MappingNode) -> Section:
            seen: set[str] = set()
            for key, _ in node.value:
                place = f"{self.name}:{key.start_mark.line + 1}"
                if not isinstance(key, yaml.ScalarNode):
                    raise _broken(place, "a key has to be a simple word")
                if key.value in seen:
                    raise _broken(place, f"{key.value} stands here for the second time")
                seen.add(key.value)
            self.flatten_mapping(node)
            content = [(k.value, self.construct_object(v, deep=True)) for k, v in node.value]
            return Section(content, {key.value: key.start_mark.line + 1 for key, _ in node.value})

    Loader.add_constructor("tag:yaml.org,2002:map", Loader.section)
    Loader.yaml_implicit_resolvers = {
        first: [(tag, regexp) for tag, regexp in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    return Loader
