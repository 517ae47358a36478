"""Weighing the sources: one layer for each, the first that says something counts."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ldimport import credentials
from ldimport.errors import UsageError
from ldimport.settings import FLAGS, Settings
from ldimport.settings.dotfile import Dotfile, read_dotfile
from ldimport.settings.files import ConfigFile, read_file
from ldimport.settings.values import EMBEDDED, Layer, Value, Where, nearest, read_value

PROJECT_FILE = "ldimport.yaml"
USER_FILE = "config.yaml"

_VARIABLES = {
    "target": "LDIMPORT_TARGET",
    "apiVersion": "LDIMPORT_API_VERSION",
    "systemName": "LDIMPORT_SYSTEM_NAME",
    "projectConfig": "LDIMPORT_PROJECT_CONFIG",
    "state": "LDIMPORT_STATE",
    "engine": "LDIMPORT_ENGINE",
    "allowHosts": "LDIMPORT_ALLOW_HOST",
    "baseUrl": "LDIMPORT_BASE_URL",
    "webhook": "LDIMPORT_WEBHOOK",
    "context": "LDIMPORT_CONTEXT",
    "insecure": "LDIMPORT_INSECURE",
}


@dataclass(frozen=True, slots=True)
class UserFolders:
    """Where this user's things live: config file, engine, state files."""

    config: Path
    data: Path
    state: Path
    home: Path

    @classmethod
    def of(cls, home: Path | None) -> UserFolders:
        """The platform's folders, or the usual ones of Linux below ``home``."""
        if home is not None:
            local = home / ".local"
            config = home / ".config" / "ldimport"
            return cls(config, local / "share" / "ldimport", local / "state" / "ldimport", home)
        from platformdirs import PlatformDirs

        dirs = PlatformDirs("ldimport", appauthor=False)
        config, data, state = dirs.user_config_path, dirs.user_data_path, dirs.user_state_path
        return cls(config, data, state, Path.home())


@dataclass(frozen=True, slots=True)
class Loading:
    """One call of ``load``, with what it was given."""

    flags: Mapping[str, object]
    near: Path | None
    environ: Mapping[str, str]
    cwd: Path
    home: Path | None

    def settings(self) -> Settings:
        """Read every source and put the winners together."""
        folders = UserFolders.of(self.home)
        dotfile = read_dotfile(self.cwd)
        files = [*self._project_files(folders), *_user_files(folders)]
        profile = self._profile(files, dotfile)
        named = {} if profile is None else dotfile.layer(profile)
        layers: list[Layer] = [self._flags(folders), self._variables(folders)]
        layers += [layer for file in files for layer in file.layers(profile)]
        chosen = ChainMap(*(dict(layer) for layer in [*layers, named, _defaults(profile, folders)]))
        token = self._token(layers, named, chosen["target"])
        return _settings(profile, chosen, token)

    # -- the sources --

    def _flags(self, folders: UserFolders) -> Layer:
        if unknown := set(self.flags) - set(FLAGS):
            raise TypeError(f"no such setting: {', '.join(sorted(unknown))}")
        layer: dict[str, Value] = {}
        for name, option in FLAGS.items():
            raw = self.flags.get(name)
            if raw is None or raw is False or raw in ((), []) or name in ("profile", "config"):
                continue
            source = f"option {option}"
            where = Where(option, source, self.cwd, folders.home, usage=True)
            layer[_camel(name)] = read_value(_camel(name), raw, where)
        return layer

    def _variables(self, folders: UserFolders) -> Layer:
        layer: dict[str, Value] = {}
        for key, name in _VARIABLES.items():
            if raw := self.environ.get(name):
                layer[key] = read_value(key, raw, self._where(name, folders))
        if token := self.environ.get("LDIMPORT_TOKEN"):
            layer["token"] = _secret(token, "LDIMPORT_TOKEN")
        elif file := self.environ.get("LDIMPORT_TOKEN_FILE"):
            where = self._where("LDIMPORT_TOKEN_FILE", folders)
            path: Path = read_value("tokenFile", file, where).value
            layer["token"] = Value(credentials.from_file(path), where.source)
        return layer

    def _where(self, variable: str, folders: UserFolders) -> Where:
        return Where(variable, f"environment {variable}", self.cwd, folders.home)

    def _project_files(self, folders: UserFolders) -> Iterator[ConfigFile]:
        named = self.flags.get("config") or self.environ.get("LDIMPORT_CONFIG")
        if named:
            path = self.cwd / str(named)
            if not path.is_file():
                raise UsageError(f"{path}: no such config file", code="no-such-file")
            yield read_file(path, folders.home, private=False)
            return
        for start in (self.near, self.cwd):
            path_or_none = None if start is None else _upwards(self.cwd / start)
            if path_or_none is not None:
                yield read_file(path_or_none, folders.home, private=False)
                return

    # -- choosing --

    def _profile(self, files: list[ConfigFile], dotfile: Dotfile) -> str | None:
        profile = self.flags.get("profile") or self.environ.get("LDIMPORT_PROFILE")
        if not profile:
            return None
        name = str(profile)
        known = sorted({each for file in files for each in file.profiles} | {*dotfile.environments})
        if name in known or name in dotfile:
            return name
        near = nearest(name, known)
        listed = f"known are {', '.join(known)}" if known else "no config file names any"
        raise UsageError(
            f"no profile {name!r}",
            hint=f"did you mean {near}?" if near else listed,
            code="no-such-profile",
        )

    def _token(self, layers: list[Layer], named: Layer, target: Value) -> Value | None:
        """A dotfile's address and token belong together: LI_TOKEN stays out when the address is
        the dotfile's (livingdocs.md 5.2), and its token goes to no other address."""
        variables, *files = layers[1:]
        theirs = named.get("target")
        candidates = [variables]
        shared = self.environ.get("LI_TOKEN")
        if shared and target is not theirs:
            candidates.append({"token": _secret(shared, "LI_TOKEN")})
        candidates += files
        if theirs is not None and theirs.value == target.value:
            candidates.append(named)
        return next((layer["token"] for layer in candidates if "token" in layer), None)


def _settings(profile: str | None, chosen: Mapping[str, Value], token: Value | None) -> Settings:
    def get(key: str, default: Any = None) -> Any:
        return chosen[key].value if key in chosen else default

    sources = {key: value.source for key, value in chosen.items() if key != "token"}
    if token is not None:
        sources["token"] = token.source
    return Settings(
        profile=profile,
        target=get("target"),
        api_version=get("apiVersion"),
        system_name=get("systemName"),
        project_config=get("projectConfig"),
        state=get("state"),
        engine=get("engine"),
        allow_hosts=get("allowHosts", ()),
        base_url=get("baseUrl"),
        webhook=get("webhook"),
        context=get("context"),
        token=None if token is None else token.value,
        token_source=None if token is None else token.source,
        manifest=get("manifest", {}),
        insecure=get("insecure", False),
        sources=sources,
    )


def _defaults(profile: str | None, folders: UserFolders) -> Layer:
    name = "default" if profile is None else _file_name(profile)
    return {
        "target": Value(EMBEDDED, "default"),
        "apiVersion": Value("v1", "default"),
        "state": Value(folders.state / f"{name}.sqlite", "default"),
        "engine": Value(folders.data / "engine", "default"),
    }


def _file_name(profile: str) -> str:
    """A profile as a file name: any sign with a meaning in paths becomes ``%xx``."""
    return re.sub(r"[^\w.\- ]|^\.", lambda found: f"%{ord(found[0]):02x}", profile)


def _user_files(folders: UserFolders) -> list[ConfigFile]:
    path = folders.config / USER_FILE
    return [read_file(path, folders.home, private=True)] if path.is_file() else []


def _upwards(start: Path) -> Path | None:
    folder = start.resolve()
    places = (each / PROJECT_FILE for each in (folder, *folder.parents))
    return next((path for path in places if path.is_file()), None)


def _secret(token: str, variable: str) -> Value:
    source = f"environment {variable}"
    return Value(credentials.Secret(token, source), source)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
