"""Which of several sources counts, for every setting and every combination of sources."""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from agreeing import agree
from hypothesis import given
from hypothesis import strategies as st

from ldimport.settings import Settings, load

PROFILE = "prod"
SOURCES = ("flag", "variable", "project profile", "project", "user profile", "user", "dotfile")


@dataclass(frozen=True)
class Case:
    """One setting: its names, and how a source spells the value that only it gives."""

    key: str
    field: str
    variable: str
    raw: Callable[[str], Any]
    read: Callable[[Any], Any] = lambda value: value

    @property
    def option(self) -> str:
        return "--" + self.variable.removeprefix("LDIMPORT_").lower().replace("_", "-")


def plain(word: str) -> str:
    return word


def url(word: str) -> str:
    return f"https://{word}.example"


CASES = [
    Case("target", "target", "LDIMPORT_TARGET", url),
    Case("apiVersion", "api_version", "LDIMPORT_API_VERSION",
         lambda word: f"v{sum(map(ord, word)) % 900}"),
    Case("systemName", "system_name", "LDIMPORT_SYSTEM_NAME", plain),
    Case("projectConfig", "project_config", "LDIMPORT_PROJECT_CONFIG", plain, lambda p: p.name),
    Case("state", "state", "LDIMPORT_STATE", plain, lambda p: p.name),
    Case("engine", "engine", "LDIMPORT_ENGINE", plain, lambda p: p.name),
    Case("allowHosts", "allow_hosts", "LDIMPORT_ALLOW_HOST", lambda w: f"{w}:80", lambda t: t[0]),
    Case("baseUrl", "base_url", "LDIMPORT_BASE_URL", url),
    Case("webhook", "webhook", "LDIMPORT_WEBHOOK", url),
    Case("context", "context", "LDIMPORT_CONTEXT", lambda w: json.dumps({"a": w}), json.dumps),
]  # fmt: skip


class World:
    """A home, a project and a working folder in ``root``, and what each source says."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home, self.cwd = root / "home", root / "work"
        self.project = root / "archive"
        self.flags: dict[str, object] = {"profile": PROFILE}
        self.environ: dict[str, str] = {}
        for folder in (self.home / ".config" / "ldimport", self.cwd, self.project / "deep"):
            folder.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, content: object) -> None:
        path = {
            "project": self.project / "ldimport.yaml",
            "user": self.home / ".config" / "ldimport" / "config.yaml",
            "dotfile": self.cwd / ".livingdocs-cli",
        }[name]
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        agree(self.home, path)

    def load(self, **more: Any) -> Settings:
        near = more.pop("near", self.project / "deep")
        flags: Mapping[str, object] = {**self.flags, **more}
        return load(flags, near=near, environ=self.environ, cwd=self.cwd, home=self.home)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def say(world: World, case: Case, sources: set[str]) -> None:
    """Let each of ``sources`` give the setting a value of its own."""
    value = {source: case.raw(source.replace(" ", "")) for source in SOURCES}
    if "flag" in sources:
        world.flags[case.field] = value["flag"]
    if "variable" in sources:
        world.environ[case.variable] = value["variable"]
    for name in ("project", "user"):
        profile = {case.key: value[f"{name} profile"]} if f"{name} profile" in sources else {}
        top = {case.key: value[name]} if name in sources else {}
        world.write(name, {**top, "profiles": {PROFILE: profile}})
    host = {"host": value["dotfile"]} if "dotfile" in sources else {}
    world.write("dotfile", {"environments": {PROFILE: host}})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
@given(said=st.sets(st.sampled_from(SOURCES), min_size=1))
def test_the_highest_source_that_says_something_counts(case: Case, said: set[str]) -> None:
    sources = said if case.key == "target" else said - {"dotfile"} or {"flag"}
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        say(world, case, sources)
        settings = world.load()
    winner = next(source for source in SOURCES if source in sources)
    raw = case.raw(winner.replace(" ", ""))
    assert case.read(getattr(settings, case.field)) == raw
    told = settings.sources[case.key]
    assert {
        "flag": told == f"option {case.option}",
        "variable": told == f"environment {case.variable}",
        "project profile": told.endswith("ldimport.yaml (profile prod)"),
        "project": told.endswith("ldimport.yaml"),
        "user profile": told.endswith("config.yaml (profile prod)"),
        "user": told.endswith("config.yaml"),
        "dotfile": told.endswith(".livingdocs-cli (prod)"),
    }[winner]


def test_without_any_source_the_embedded_engine_is_the_target(tmp_path: Path) -> None:
    settings = load({}, environ={}, cwd=tmp_path, home=tmp_path)
    assert settings.embedded
    assert (settings.target, settings.api_version, settings.profile) == ("embedded", "v1", None)
    assert settings.state == tmp_path / ".local/state/ldimport/default.sqlite"
    assert settings.engine == tmp_path / ".local/share/ldimport/engine"
    assert (settings.token, settings.allow_hosts, settings.manifest) == (None, (), {})
    assert not settings.insecure
    assert set(settings.sources.values()) == {"default"}


def test_flags_that_were_not_given_say_nothing(world: World) -> None:
    world.environ.update(LDIMPORT_SYSTEM_NAME="env", LDIMPORT_INSECURE="yes")
    world.write("user", {"profiles": {PROFILE: {}}})
    silent = {"system_name": None, "allow_hosts": [], "insecure": False, "context": None}
    settings = world.load(**silent)
    assert (settings.system_name, settings.insecure) == ("env", True)


def test_an_empty_variable_says_nothing(world: World) -> None:
    world.flags.clear()
    world.environ.update(LDIMPORT_TARGET="", LDIMPORT_PROFILE="", LDIMPORT_TOKEN="", LI_TOKEN="")
    settings = world.load()
    assert settings.embedded
    assert settings.token is None


# -- where files are looked for -------------------------------------------------------------


def test_the_manifests_folder_comes_before_the_working_folder(world: World) -> None:
    world.flags.clear()
    (world.cwd / "ldimport.yaml").write_text("systemName: of-cwd\nprojectConfig: a.json\n")
    assert world.load().system_name == "of-cwd"
    world.write("project", "systemName: of-archive\n")
    settings = world.load()
    assert (settings.system_name, settings.project_config) == ("of-archive", None)
    assert world.load(near=None).system_name == "of-cwd"


def test_the_nearest_file_upwards_counts(world: World) -> None:
    world.flags.clear()
    world.write("project", "systemName: outer\n")
    assert world.load().system_name == "outer"
    (world.project / "deep" / "ldimport.yaml").write_text("systemName: inner\n")
    assert world.load().system_name == "inner"


def test_a_named_file_replaces_the_search(world: World) -> None:
    world.flags.clear()
    world.write("project", "systemName: found\n")
    (world.cwd / "other.yaml").write_text("systemName: named\n")
    assert world.load(config="other.yaml").system_name == "named"
    world.environ["LDIMPORT_CONFIG"] = str(world.cwd / "other.yaml")
    assert world.load().system_name == "named"


def test_paths_are_relative_to_where_they_are_written(world: World) -> None:
    world.flags.clear()
    world.write("project", "projectConfig: pc.json\nstate: /abs/s.sqlite\nengine: ~/engine\n")
    settings = world.load()
    assert settings.project_config == world.project / "pc.json"
    assert settings.state == Path("/abs/s.sqlite")
    assert settings.engine == world.home / "engine"
    assert world.load(state="mine.sqlite").state == world.cwd / "mine.sqlite"


def test_context_may_be_a_file(world: World) -> None:
    world.flags.clear()
    (world.cwd / "c.json").write_text('{"run": "naïve"}')
    assert world.load(context="@c.json").context == {"run": "naïve"}
    assert world.load(context={"a": 1}).context == {"a": 1}


def test_dates_and_versions_in_yaml_stay_texts(world: World) -> None:
    world.flags.clear()
    world.write("project", "apiVersion: 2025-03\ncontext: {since: 2024-01-02, 1: 2}\n")
    settings = world.load()
    assert settings.api_version == "2025-03"
    assert settings.context == {"since": "2024-01-02", "1": 2}


def test_the_column_mapping_is_handed_on_as_it_stands(world: World) -> None:
    world.flags.clear()
    world.write("project", "manifest:\n  columns: {url: Bild-URL}\n  unknown: [1, 2]\n")
    assert world.load().manifest == {"columns": {"url": "Bild-URL"}, "unknown": [1, 2]}


@pytest.mark.parametrize(
    ("profile", "name"),
    [("prod", "prod.sqlite"), ("a b-c.d", "a b-c.d.sqlite"), ("züri", "züri.sqlite"),
     ("daily-planet/prod", "daily-planet%2fprod.sqlite"), ("../x", "%2e.%2fx.sqlite")],
)  # fmt: skip
def test_each_profile_has_a_state_file_of_its_own(world: World, profile: str, name: str) -> None:
    world.write("user", {"profiles": {profile: {}}})
    state = world.load(profile=profile).state
    assert state.name == name
    assert state.parent == world.home / ".local/state/ldimport"


def test_no_two_profiles_share_a_state_file(world: World) -> None:
    names = ["a/b", "a%2fb", "a:b", "a-b", "a.b", "A b"]
    world.write("user", {"profiles": dict.fromkeys(names)})
    files = [world.load(profile=name).state for name in names]
    assert all(one != other for one, other in itertools.combinations(files, 2))


def test_the_platforms_own_folders_are_used_without_a_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    settings = load({}, environ={}, cwd=tmp_path)
    assert settings.state.is_relative_to(tmp_path)
    assert settings.engine.is_relative_to(tmp_path)
    assert settings.state.name == "default.sqlite"
