"""All settings in force: sources are weighed, one layer for each, the first that says something
counts; and how a person is shown them."""

from __future__ import annotations

import json
import re
from collections import ChainMap
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from itertools import chain
from pathlib import Path
from typing import Any

from ldimport import credentials
from ldimport.credentials import MASK, Secret
from ldimport.errors import ConfigError, UsageError, did_you_mean
from ldimport.model import (
    ExifPrecedence,
    ImageType,
    JobOptions,
    Json,
    Limits,
    Nulls,
    Publishing,
    Variants,
)
from ldimport.settings.files import (
    PROJECT_FILE,
    ConfigFile,
    Dotfile,
    read_dotfile,
    read_engine_file,
    read_file,
)
from ldimport.settings.trust import TrustedFiles, UntrustedError
from ldimport.settings.values import EMBEDDED, SETTINGS, Layer, Value, Where, read_path
from ldimport.url import without_secrets

USER_FILE = "config.yaml"
_DANGEROUS = {each.key for each in SETTINGS if each.dangerous} | {"token"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings after every source was weighed; ``values.SETTINGS`` says how each is given.

    ``target`` is ``embedded`` or a base URL; ``sources`` says in words where each setting comes
    from, by its name in the config file (``systemName``, ``token``).
    """

    profile: str | None
    target: str
    api_version: str
    system_name: str | None = None
    project_config: Path | None = None
    state: Path
    engine: Path
    allow_hosts: tuple[str, ...] = ()
    base_url: str | None = None
    webhook: str | None = None
    heartbeat: Secret | None = None
    context: Mapping[str, Json] | None = None
    manifest: Mapping[str, Json] = field(default_factory=dict)
    daily_limit: int | None = None
    reserve: int = 0
    tries: int
    max_failures: str | None = None
    user_agent: str | None = None
    ca_file: Path | None = None
    requests_per_second: int
    insecure: bool = False
    max_bytes: int
    max_pixels: int
    max_frames: int
    max_body: int
    formats: tuple[ImageType, ...]
    exif_precedence: ExifPrecedence
    publishing: Publishing
    nulls: Nulls
    key_in_results: bool
    public_url: str | None = None
    variants: Variants
    rendition_bytes: int
    token: Secret | None = None
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def embedded(self) -> bool:
        """Whether images go to the embedded engine."""
        return self.target == EMBEDDED

    @property
    def job_given(self) -> dict[str, Any]:
        """Those of ``job_options`` but ``allow_hosts`` that hold because somebody set them."""
        keys = {each.name: each.key for each in SETTINGS} | {"lenient": "engine.publishing"}
        options = {each.name: getattr(self.job_options, each.name) for each in fields(JobOptions)}
        return {name: value for name, value in options.items() if name != "allow_hosts"
                and self.sources.get(keys.get(name, ""), "default") != "default"}  # fmt: skip

    @property
    def engine_options(self) -> dict[str, Any]:
        """What the embedded engine accepts, how it shows assets and how many bytes of other sizes
        it keeps, as it takes them."""
        limits = Limits(self.max_bytes, self.max_pixels, self.max_frames)
        names = ("public_url", "variants", "key_in_results", "rendition_bytes")
        return {"limits": limits, **{name: getattr(self, name) for name in names}}

    @property
    def job_options(self) -> JobOptions:
        """How the embedded engine treats the images of a job."""
        return JobOptions(
            allow_hosts=self.allow_hosts,
            lenient=self.publishing is Publishing.WARN,
            exif_precedence=self.exif_precedence,
            nulls=self.nulls,
            formats=self.formats,
            user_agent=self.user_agent,
            ca_file=None if self.ca_file is None else str(self.ca_file),
        )


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One line of ``config show``; secrets are masked in ``value``, "" means not set."""

    key: str
    value: str
    source: str


def describe(settings: Settings) -> list[SettingRow]:
    """What is in force and where it comes from, in the order of the config file."""
    texts = {"profile": settings.profile or ""}
    for each in SETTINGS:
        value = getattr(settings, each.name)
        texts[each.key] = shown(value) if each.key in settings.sources or value else ""
    texts["token"] = "" if settings.token is None else MASK
    return [SettingRow(key, value, settings.sources.get(key, "")) for key, value in texts.items()]


def shown(value: object) -> str:
    """A value as people read it, without secrets."""
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, Mapping):
        return without_secrets(json.dumps(value, ensure_ascii=False)) if value else ""
    return "" if value is None else without_secrets(str(value))


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
            places = (".config", ".local/share", ".local/state")
            config, data, state = (home / place / "ldimport" for place in places)
            return cls(config, data, state, home)
        from platformdirs import PlatformDirs

        dirs = PlatformDirs("ldimport", appauthor=False)
        return cls(dirs.user_config_path, dirs.user_data_path, dirs.user_state_path, Path.home())

    @property
    def trusted(self) -> TrustedFiles:
        """The project files that the user has agreed to."""
        return TrustedFiles(self.config / "trusted.json")


def load(
    flags: Mapping[str, object],
    *,
    near: Path | None = None,
    environ: Mapping[str, str],
    cwd: Path,
    home: Path | None = None,
) -> Settings:
    """Weigh all sources. ``flags`` holds options by the names in ``Settings``, and ``config``;
    None, False and empty lists count as not given. The project file is looked for upwards from
    ``near`` (the manifest's folder), then from ``cwd``. ``home`` replaces the user's own folders,
    for tests.

    Raises UsageError for a wrong flag, an unknown profile or a missing ``--config`` file, and
    ConfigError for what is wrong in a variable or a file; UntrustedError when what is in force
    comes from a file that was found, needs the user's agreement and has none.
    """
    return _Sources(flags, near, environ, cwd, UserFolders.of(home)).settings()


@dataclass(frozen=True, slots=True)
class _Sources:
    flags: Mapping[str, object]
    near: Path | None
    environ: Mapping[str, str]
    cwd: Path
    folders: UserFolders

    def settings(self) -> Settings:
        """Read every source and put the winners together."""
        dotfile = read_dotfile(self.cwd)
        block = self._engine_file()
        files = list(self._files())
        profile = self._profile(files, dotfile)
        named = {} if profile is None else dotfile.layer(profile)
        theirs = [file.layers(profile) for file in files]
        layers = [self._flags(), self._variables(), block, *chain.from_iterable(theirs)]
        chosen = ChainMap(*layers, named, _defaults(profile, self.folders))
        profiles = [layer for layer, _ in theirs]
        others = _targets_of_others(profile, files, dotfile)
        token = self._token(layers, profiles, named, chosen["target"], others)
        strangers: list[tuple[ConfigFile | Dotfile, Mapping[str, Layer]]] = [
            (file, file.sections) for file in files if not (file.private or self._named)
        ]
        if token is not named.get("token"):  # its own goes to its own address only
            strangers.append((dotfile, {f"{profile}.": named}))
        self._check_trust(strangers, {**chosen, "token": token})
        found = {each.name: chosen[each.key] for each in SETTINGS if each.key in chosen}
        sources = {each.key: found[each.name].source for each in SETTINGS if each.name in found}
        if token is not None:
            found["token"], sources["token"] = token, token.source
        values = {name: each.value for name, each in found.items()}
        return Settings(profile=profile, sources=sources, **values)

    def _flags(self) -> Layer:
        names = {each.name for each in SETTINGS if each.option}
        if unknown := set(self.flags) - names - {"profile", "config", "profile_file"}:
            raise TypeError(f"no such setting: {', '.join(sorted(unknown))}")
        layer: Layer = {}
        for setting in SETTINGS:
            raw = self.flags.get(setting.name)
            if raw is not None and raw is not False and raw not in ((), []):
                source = f"option {setting.option}"
                where = Where(setting.option, source, self.cwd, self.folders.home, usage=True)
                layer[setting.key] = setting.value(raw, where)
        return layer

    def _variables(self) -> Layer:
        layer: Layer = {}
        for setting in SETTINGS:
            names = (setting.variable, setting.before) if setting.option else ()
            for name in names:
                if setting.key not in layer and (raw := self.environ.get(name)):
                    layer[setting.key] = setting.value(raw, self._where(name))
        if token := self.environ.get("LDIMPORT_TOKEN"):
            layer["token"] = _secret(token, "LDIMPORT_TOKEN")
        elif file := self.environ.get("LDIMPORT_TOKEN_FILE"):
            where = self._where("LDIMPORT_TOKEN_FILE")
            layer["token"] = Value(credentials.from_file(read_path(file, where)), where.source)
        return layer

    def _where(self, variable: str) -> Where:
        return Where(variable, f"environment {variable}", self.cwd, self.folders.home)

    def _files(self) -> Iterator[ConfigFile]:
        """The project's file, then the user's own."""
        project, user = self._project_file(), self.folders.config / USER_FILE
        if project is not None:
            yield read_file(project, self.folders.home, private=False)
        if user.is_file():
            yield read_file(user, self.folders.home, private=True)

    def _engine_file(self) -> Layer:
        """What ``serve --profile-file`` names, or nothing."""
        named = self.flags.get("profile_file") or self.environ.get("LDIMPORT_PROFILE_FILE")
        if not named:
            return {}
        path = self.cwd / str(named)
        if not path.is_file():
            raise UsageError(f"--profile-file {path}: no such file", code="no-such-file")
        return read_engine_file(path, self.folders.home)

    def _project_file(self) -> Path | None:
        if self._named:
            path = self.cwd / self._named
            if not path.is_file():
                raise UsageError(f"{path}: no such config file", code="no-such-file")
            return path
        return project_file(self.cwd / (self.near or ""), self.cwd)

    @property
    def _named(self) -> str:
        """The config file that the user names: so they have agreed to it."""
        return str(self.flags.get("config") or self.environ.get("LDIMPORT_CONFIG") or "")

    def _check_trust(
        self,
        strangers: list[tuple[ConfigFile | Dotfile, Mapping[str, Layer]]],
        chosen: Mapping[str, Value | None],
    ) -> None:
        """Raises UntrustedError where one of these files gives what is in force and dangerous; it
        tells all that is agreed to with the file, also what other profiles say."""
        target = chosen["target"]
        harmless = {"target", "token"} if target and target.value == EMBEDDED else set()
        for file, sections in strangers:
            found = [
                (f"{at}{key}", key, value)
                for at, layer in sections.items() for key, value in layer.items()
                if key in _DANGEROUS or (key == "projectConfig" and value.value.is_dir())  # code
            ]  # fmt: skip
            asked = any(chosen[key] is value and key not in harmless for _, key, value in found)
            if asked and not self.folders.trusted.hold(file.path, file.digest):
                told = {name: MASK if key == "token" else shown(value.value)
                        for name, key, value in found}  # fmt: skip
                raise UntrustedError(file.path, file.digest, told)

    def _profile(self, files: list[ConfigFile], dotfile: Dotfile) -> str | None:
        profile = self.flags.get("profile") or self.environ.get("LDIMPORT_PROFILE")
        if not profile:
            return None
        name = str(profile)
        known = sorted(
            {str(each) for file in files for each in file.profiles} | {*dotfile.environments}
        )
        if name in known or name in dotfile:
            return name
        listed = f"known are {', '.join(known)}" if known else "no config file names any"
        hint = did_you_mean(name, known, listed)
        raise UsageError(f"no profile {name!r}", hint=hint, code="no-such-profile")

    def _token(
        self,
        layers: list[Layer],
        profiles: list[Layer],
        named: Layer,
        target: Value,
        others: set[object],
    ) -> Value | None:
        """The address and the token of a profile belong together: a profile's token goes to no
        other address (one that names none: not to another profile's), and what is no profile's not
        to a profile's, where it has one of its own. So has a dotfile's; and LI_TOKEN stays out
        when the address is the dotfile's."""

        def elsewhere(layer: Layer) -> bool:
            if "target" not in layer and any(each is layer for each in profiles):
                return target.value in others
            own = layer.get("target", target)
            of_profile = any(each is layer or each.get("target") is target for each in profiles)
            return own.value != target.value and of_profile

        candidates = [layers[1]]
        shared = self.environ.get("LI_TOKEN")
        if shared and target is not named.get("target"):
            candidates.append({"token": _secret(shared, "LI_TOKEN")})
        candidates += [layer for layer in layers[2:] if not elsewhere(layer)]
        if "target" in named and named["target"].value == target.value:
            candidates.append(named)
        return next((layer["token"] for layer in candidates if "token" in layer), None)


def _targets_of_others(
    profile: str | None, files: list[ConfigFile], dotfile: Dotfile
) -> set[object]:
    """The addresses that other profiles than this one name."""
    mine = (profile, dotfile.name(profile or ""))
    sections = [(name, each) for file in files for name, each in file.profiles.items()]
    for name in dotfile.environments:
        with suppress(ConfigError):  # no address: nothing is sent there
            sections.append((name, dotfile.layer(name)))
    return {each["target"].value for name, each in sections
            if name not in mine and "target" in each}  # fmt: skip


def project_file(*starts: Path) -> Path | None:
    """The first ``ldimport.yaml`` in one of these folders or above it."""
    folders = (folder for each in map(Path.resolve, starts) for folder in (each, *each.parents))
    return next((path for each in folders if (path := each / PROJECT_FILE).is_file()), None)


def _defaults(profile: str | None, folders: UserFolders) -> Layer:
    name = "default" if profile is None else _file_name(profile)
    return {
        "target": Value(EMBEDDED, "default"),
        "apiVersion": Value("v1", "default"),
        "state": Value(folders.state / f"{name}.sqlite", "default"),
        "engine": Value(folders.data / "engine", "default"),
        **{one.key: Value(one.default, "default") for one in SETTINGS if one.default is not None},
    }


def _file_name(profile: str) -> str:
    """A profile as a file name: any sign with a meaning in paths becomes ``%xx``."""
    return re.sub(r"[^\w.\- ]|^\.", lambda found: f"%{ord(found[0]):02x}", profile)


def _secret(token: str, variable: str) -> Value:
    source = f"environment {variable}"
    return Value(Secret(token, source), source)
