"""A project file that came with an archive decides nothing dangerous until the user agrees."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from agreeing import agree

from ldimport.errors import ConfigError, ExitCode, LdimportError, TemporaryError
from ldimport.settings import Settings, UntrustedError, UserFolders, load
from ldimport.settings.files import read_yaml
from ldimport.settings.trust import TrustedFiles

EVIL = "https://evil.example"
DANGEROUS = {
    "target": EVIL,
    "webhook": f"{EVIL}/hook",
    "allowHosts": ["10.0.0.1"],
    "engine": "../engine",
    "state": "../state.sqlite",
}
FLAGS = {
    "target": "https://mine.example",
    "webhook": "https://mine.example/hook",
    "allow_hosts": ["10.0.0.2"],
    "engine": "mine",
    "state": "mine.sqlite",
}


class Place:
    """A user with a token, and an archive that somebody sent."""

    def __init__(self, root: Path) -> None:
        self.home, self.archive = root / "home", root / "archive"
        self.environ = {"LDIMPORT_TOKEN": "mine"}
        for folder in (self.home / ".config" / "ldimport", self.archive):
            folder.mkdir(parents=True)

    @property
    def file(self) -> Path:
        return self.archive / "ldimport.yaml"

    def user(self, **body: object) -> None:
        (self.home / ".config" / "ldimport" / "config.yaml").write_text(json.dumps(body))

    def sent(self, **body: object) -> None:
        self.file.write_text(json.dumps(body))

    def load(self, **flags: object) -> Settings:
        return load(
            flags, near=self.archive, environ=self.environ, cwd=self.archive, home=self.home
        )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize("key", DANGEROUS)
@pytest.mark.parametrize("in_profile", [False, True])
def test_what_is_dangerous_needs_agreement(place: Place, key: str, in_profile: bool) -> None:
    body = {key: DANGEROUS[key]}
    place.sent(**({"profiles": {"p": body}} if in_profile else body))
    flags = {"profile": "p"} if in_profile else {}
    with pytest.raises(UntrustedError) as caught:
        place.load(**flags)
    error = caught.value
    assert error.exit_code == ExitCode.CONFIG and error.code == "untrusted-file"
    name = f"profiles.p.{key}" if in_profile else key
    assert [*error.facts] == [name] and str(place.file) in error.message
    assert str(error.hint).endswith(f"ldimport config trust {place.file}")
    agree(place.home, place.file)
    assert place.load(**flags).sources[key].startswith(str(place.file))


def test_what_the_user_names_by_flag_needs_none(place: Place) -> None:
    place.sent(**DANGEROUS)
    settings = place.load(**FLAGS)
    assert settings.target == "https://mine.example"
    assert settings.allow_hosts == ("10.0.0.2",)
    for key in FLAGS:
        with pytest.raises(UntrustedError):
            place.load(**{name: value for name, value in FLAGS.items() if name != key})


def test_variables_are_the_users_too(place: Place) -> None:
    place.sent(target=EVIL)
    place.environ["LDIMPORT_TARGET"] = "https://mine.example"
    assert place.load().target == "https://mine.example"


def test_what_is_harmless_needs_none(place: Place) -> None:
    place.sent(
        target="embedded", systemName="a", projectConfig="p.json", apiVersion="v1",
        context={"a": 1}, baseUrl="https://pictures.example/", manifest={"url": "u"},
    )  # fmt: skip
    settings = place.load()
    assert settings.embedded and settings.system_name == "a"


def test_a_file_that_was_edited_asks_again(place: Place) -> None:
    place.sent(target="https://good.example")
    agree(place.home, place.file)
    assert place.load().target == "https://good.example"
    place.sent(target=EVIL)
    with pytest.raises(UntrustedError):
        place.load()


def test_another_file_of_the_same_content_asks(place: Place) -> None:
    place.sent(target=EVIL)
    agree(place.home, place.file)
    (place.archive / "deeper").mkdir()
    copy = place.archive / "deeper" / "ldimport.yaml"
    copy.write_text(place.file.read_text())
    with pytest.raises(UntrustedError):
        load({}, environ={}, cwd=copy.parent, home=place.home)


def test_a_link_to_it_is_the_same_file(place: Place) -> None:
    place.sent(target=EVIL)
    agree(place.home, place.file)
    (place.home / "link").symlink_to(place.archive)
    assert load({}, environ={}, cwd=place.home / "link", home=place.home).target == EVIL


def test_a_link_in_another_folder_asks_since_its_paths_mean_others(place: Place) -> None:
    place.sent(engine="engine")
    agree(place.home, place.file)
    sent = place.home / "sent"
    sent.mkdir()
    for link in (Path.symlink_to, Path.hardlink_to):
        link(sent / "ldimport.yaml", place.file)
        with pytest.raises(UntrustedError):
            load({}, environ={}, cwd=sent, home=place.home)
        (sent / "ldimport.yaml").unlink()


def test_all_that_is_agreed_to_is_told(place: Place) -> None:
    place.sent(
        allowHosts=["images.example"], systemName="a",
        profiles={"prod": {"target": EVIL, "webhook": f"{EVIL}/hook"}, "b": {"target": "embedded"}},
    )  # fmt: skip
    with pytest.raises(UntrustedError) as caught:
        place.load()
    assert caught.value.facts == {
        "allowHosts": "images.example", "profiles.prod.target": EVIL,
        "profiles.prod.webhook": f"{EVIL}/hook", "profiles.b.target": "embedded",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["$(id)", "`id`", '"; id; "', "'$(id)'", "a b"])
def test_the_hint_may_be_pasted_into_a_shell(place: Place, name: str) -> None:
    place.archive = place.home / name
    place.archive.mkdir()
    place.sent(target=EVIL)
    with pytest.raises(UntrustedError) as caught:
        place.load()
    hint = str(caught.value.hint)
    command = ["sh", "-c", f"printf %s {hint.partition(' trust ')[2]}"]
    assert subprocess.run(command, capture_output=True).stdout == str(place.file).encode()


def test_a_project_config_that_is_a_program_needs_agreement(place: Place) -> None:
    """Node.js would run it, with all that the environment holds."""
    (place.archive / "config").mkdir()
    (place.archive / "config" / "index.js").write_text("require('fs').writeFileSync('ran', '')")
    for body in ({"projectConfig": "config"}, {"projectConfig": "./config/../config/"}):
        place.sent(**body)
        with pytest.raises(UntrustedError):
            place.load()
    assert place.load(project_config="config").project_config == place.archive / "config"
    place.sent(profiles={"p": body})
    with pytest.raises(UntrustedError):
        place.load(profile="p")


@pytest.mark.parametrize("in_profile", [False, True])
def test_a_program_that_was_edited_asks_again(place: Place, in_profile: bool) -> None:
    program = place.archive / "config" / "index.js"
    program.parent.mkdir()
    program.write_text("module.exports = {}")
    body = {"projectConfig": "config"}
    place.sent(**({"profiles": {"p": body}} if in_profile else body))
    flags = {"profile": "p"} if in_profile else {}
    agree(place.home, place.file)
    assert place.load(**flags).project_config == program.parent
    for change in (lambda: program.write_text("evil()"), program.unlink):
        change()
        with pytest.raises(UntrustedError):
            place.load(**flags)
    program.write_text("module.exports = {}")
    assert place.load(**flags).project_config == program.parent


def test_a_token_command_beside_the_users_file_is_not_one_of_the_archive(place: Place) -> None:
    for folder, text in ((place.archive, "theirs"), (place.home / ".config/ldimport", "mine")):
        (folder / "token").write_text(f"#!/bin/sh\necho {text}\n")
        (folder / "token").chmod(0o700)
    place.environ.clear()
    place.user(target="https://mine.example", tokenCommand="./token")
    token = place.load().token
    assert token is not None and token.reveal() == "mine"


def test_agreement_can_be_taken_back(place: Place) -> None:
    place.sent(target=EVIL)
    agree(place.home, place.file)
    trusted = UserFolders.of(place.home).trusted
    assert [*trusted.all()] == [str(place.file.resolve())]
    assert trusted.remove(place.file) and not trusted.remove(place.file)
    with pytest.raises(UntrustedError):
        place.load()


def test_a_file_that_the_user_names_is_agreed_to(place: Place) -> None:
    place.sent(target=EVIL)
    assert place.load(config="ldimport.yaml").target == EVIL


@pytest.mark.parametrize("content", ["", "[]", "{", '"a"', '{"a": 1}'])
def test_a_broken_list_agrees_to_nothing(place: Place, content: str) -> None:
    place.sent(target=EVIL)
    UserFolders.of(place.home).trusted.path.write_text(content)
    with pytest.raises(UntrustedError):
        place.load()


def test_the_list_is_the_users_alone(place: Place) -> None:
    place.sent(target=EVIL)
    trusted = UserFolders.of(place.home).trusted
    trusted.add(place.file, read_yaml(place.file)[1])
    assert trusted.path.stat().st_mode & 0o777 == 0o600
    assert place.load().target == EVIL


def test_a_dotfile_gets_no_token_but_its_own(place: Place) -> None:
    environment = {"host": EVIL, "token": "theirs"}
    (place.archive / ".livingdocs-cli").write_text(
        json.dumps({"environments": {"prod": environment}})
    )
    with pytest.raises(UntrustedError):
        place.load(profile="prod")
    place.environ.clear()
    token = place.load(profile="prod").token
    assert token is not None and token.reveal() == "theirs"


# -- tokens of profiles ----------------------------------------------------------------------


@pytest.fixture
def profiles(place: Place) -> Place:
    place.environ.clear()
    for name in ("a", "b", "top"):
        (place.home / name).write_text(f"token-{name}")
    place.user(
        target="https://top.example", tokenFile="~/top",
        profiles={
            "a": {"target": "https://a.example", "tokenFile": "~/a"},
            "b": {"target": "https://b.example"},
            "c": {"tokenFile": "~/b"},
        },
    )  # fmt: skip
    return place


@pytest.mark.parametrize(
    ("flags", "token"),
    [
        ({"profile": "a"}, "token-a"),
        ({"profile": "a", "target": "https://A.example:443"}, "token-a"),
        ({"profile": "a", "target": "https://b.example"}, "token-top"),
        ({"profile": "b"}, None),
        ({"profile": "c"}, "token-b"),
        ({"profile": "c", "target": "https://other.example"}, "token-b"),
        ({"profile": "c", "target": "https://A.example/"}, "token-top"),
        ({"profile": "c", "target": "https://b.example"}, "token-top"),
        ({}, "token-top"),
        ({"target": "https://other.example"}, "token-top"),
    ],
)
def test_a_profiles_token_goes_to_its_own_target(
    profiles: Place, flags: dict[str, object], token: str | None
) -> None:
    found = profiles.load(**flags).token
    assert (None if found is None else found.reveal()) == token


@pytest.mark.parametrize("way", ["top", "variable", "project file", "dotfile"])
def test_a_profile_without_a_target_has_no_token_for_another_profiles(
    place: Place, way: str
) -> None:
    place.environ.clear()
    (place.home / "c").write_text("token-c")
    sections = {"a": {"target": EVIL}, "c": {"tokenFile": "~/c"}}
    place.user(profiles=sections)
    flags = {"profile": "c"}
    if way == "top":
        place.user(target=EVIL, profiles=sections)
    elif way == "variable":
        place.environ["LDIMPORT_TARGET"] = EVIL
    elif way == "project file":
        place.sent(target=EVIL)
        agree(place.home, place.file)
    else:
        place.user(profiles={"c": sections["c"]})
        body = {"environments": {"a": {"host": EVIL}, "b": {"host": "none"}}}
        (place.archive / ".livingdocs-cli").write_text(json.dumps(body))
        flags["target"] = EVIL
    assert place.load(**flags).token is None
    assert place.load(**{**flags, "target": "https://own.example"}).token is not None


def test_a_project_files_profile_gets_no_token_of_the_users(profiles: Place) -> None:
    profiles.sent(profiles={"a": {"target": EVIL}})
    agree(profiles.home, profiles.file)
    assert profiles.load(profile="a").token is None


@pytest.mark.parametrize(("number", "kind"), [(28, TemporaryError), (5, TemporaryError),
                                              (13, ConfigError), (30, ConfigError)])  # fmt: skip
def test_where_agreement_cannot_be_kept_it_is_said_whether_that_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[LdimportError]
) -> None:
    """A full or broken disk; a folder that may not be written to."""

    def refused(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    trusted = TrustedFiles(tmp_path / "trusted.json")
    for place in ("tempfile.mkstemp", "os.fsync"):
        with monkeypatch.context() as patch, pytest.raises(kind):
            patch.setattr(place, refused)
            trusted.add(tmp_path / "ldimport.yaml", "digest")
    assert trusted.all() == {}
