"""Where the token comes from, and which address it may go to."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from agreeing import agree

from ldimport.errors import ConfigError, LdimportError
from ldimport.settings import Settings, describe, load

TARGET = "https://edit.tagblatt.ch/proxy/api"


class Place:
    """A folder that is home, project and working folder at once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environ: dict[str, str] = {}
        (root / ".config" / "ldimport").mkdir(parents=True)

    def user(self, text: str) -> None:
        (self.root / ".config" / "ldimport" / "config.yaml").write_text(text)

    def project(self, text: str) -> None:
        (self.root / "ldimport.yaml").write_text(text)
        agree(self.root, self.root / "ldimport.yaml")

    def dotfile(self, body: Any) -> None:
        (self.root / ".livingdocs-cli").write_text(json.dumps(body))
        agree(self.root, self.root / ".livingdocs-cli")

    def file(self, name: str, token: str) -> Path:
        path = self.root / name
        path.write_text(f"{token}\n")
        path.chmod(0o600)
        return path

    def load(self, **flags: object) -> Settings:
        return load(flags, environ=self.environ, cwd=self.root, home=self.root)

    def token(self, **flags: object) -> str | None:
        secret = self.load(**flags).token
        return None if secret is None else secret.reveal()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_the_order_of_tokens(place: Place) -> None:
    place.dotfile({"environments": {"prod": {"host": TARGET, "token": "of-dotfile"}}})
    assert place.token(profile="prod") == "of-dotfile"

    place.user("tokenFile: ~/user.token\n")
    place.file("user.token", "of-user")
    assert place.token(profile="prod") == "of-user"

    place.user("tokenFile: ~/user.token\nprofiles: {prod: {tokenFile: ~/profile.token}}\n")
    place.file("profile.token", "of-profile")
    assert place.token(profile="prod") == "of-profile"

    place.project(f"target: {TARGET}\ntokenFile: project.token\n")
    place.file("project.token", "of-project")
    assert place.token(profile="prod") == "of-project"

    place.environ["LI_TOKEN"] = "of-li"
    assert place.token(profile="prod") == "of-li"

    place.environ["LDIMPORT_TOKEN_FILE"] = str(place.file("named.token", "of-named-file"))
    assert place.token(profile="prod") == "of-named-file"

    place.environ["LDIMPORT_TOKEN"] = "of-variable"
    assert place.token(profile="prod") == "of-variable"
    assert place.load(profile="prod").sources["token"] == "environment LDIMPORT_TOKEN"


def test_a_token_command_runs_when_the_token_is_needed_and_not_before(place: Place) -> None:
    mark = place.root / "ran"
    script = f"open({str(mark)!r}, 'a').write('x'); print('from-command')"
    place.user(json.dumps({"tokenCommand": [sys.executable, "-c", script]}))
    settings = place.load()
    assert not mark.exists()
    assert settings.token is not None
    assert [settings.token.reveal(), settings.token.reveal()] == ["from-command"] * 2
    assert mark.read_text() == "x"


def test_a_token_command_may_be_one_line_and_needs_no_shell(place: Place) -> None:
    place.user("tokenCommand: echo $HOME;id 'two words'\n")
    with pytest.raises(ConfigError, match="characters that no token has") as caught:
        place.token()
    assert "two words" not in caught.value.message


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["false"], "ended with 1"),
        (["/nowhere/at-all"], "No such file"),
        (["true"], "is empty"),
    ],
)
def test_a_token_command_that_fails_is_named(place: Place, command: list[str], words: str) -> None:
    place.user(json.dumps({"tokenCommand": command}))
    with pytest.raises(ConfigError, match=words):
        place.token()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("token: abc", "must not stand in a config file"),
        ("tokenCommand: cat x", "your own config file only"),
        ("profiles: {a: {token: abc}}", "must not stand in a config file"),
        ("tokenFile: ../secret", "must name a file below"),
        ("tokenFile: ~/.ssh/id_rsa", "must name a file below"),
        ("tokenFile: /etc/passwd", "must name a file below"),
    ],
)
def test_a_project_file_gives_no_token_away(place: Place, text: str, words: str) -> None:
    project = place.root / "deep"
    project.mkdir()
    (project / "ldimport.yaml").write_text(text)
    with pytest.raises(ConfigError, match=words) as caught:
        load({}, environ={}, cwd=project, home=place.root)
    assert "abc" not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize("name", ["../docker.json", "~/docker.json", "link"])
def test_a_project_file_sends_no_file_of_the_users_as_context(place: Place, name: str) -> None:
    project = place.root / "deep"
    project.mkdir()
    (place.root / "docker.json").write_text('{"auth": "private"}')
    (project / "link").symlink_to(place.root / "docker.json")
    (project / "own.json").write_text('{"run": 1}')
    (project / "ldimport.yaml").write_text(f'context: "@{name}"')
    with pytest.raises(ConfigError, match="must name a file below") as caught:
        load({}, environ={}, cwd=project, home=place.root)
    assert "LDIMPORT_CONTEXT" in str(caught.value.hint)
    (project / "ldimport.yaml").write_text('context: "@own.json"')
    assert load({}, environ={}, cwd=project, home=place.root).context == {"run": 1}


def test_a_link_out_of_the_project_gives_no_token_away(place: Place) -> None:
    project = place.root / "deep"
    project.mkdir()
    (project / "link").symlink_to(place.file("elsewhere", "private"))
    (project / "ldimport.yaml").write_text("tokenFile: link\n")
    with pytest.raises(ConfigError, match="must name a file below"):
        load({}, environ={}, cwd=project, home=place.root)


def test_a_literal_token_is_refused_in_the_users_file_too(place: Place) -> None:
    place.user("token: abc\n")
    with pytest.raises(ConfigError, match=r"config\.yaml:1: token must not stand"):
        place.load()


def test_two_sources_of_one_token_are_refused(place: Place) -> None:
    place.user("tokenFile: a\ntokenCommand: b\n")
    with pytest.raises(ConfigError, match="second source"):
        place.load()


def test_a_missing_token_file_is_named_when_it_is_needed(place: Place) -> None:
    place.environ["LDIMPORT_TOKEN_FILE"] = "none.token"
    settings = place.load()
    assert settings.token is not None
    with pytest.raises(ConfigError, match=r"none\.token") as caught:
        settings.token.reveal()
    assert caught.value.code == "token-file"


def test_nothing_that_prints_settings_prints_the_token(place: Place) -> None:
    place.environ["LDIMPORT_TOKEN"] = "s3cr3t-token"
    place.environ["LDIMPORT_WEBHOOK"] = "https://me:pass@hook.example/x?key=k3y"
    settings = place.load()
    assert settings.token is not None
    settings.token.reveal()
    rows = {row.key: row for row in describe(settings)}
    assert rows["token"].value == "********"
    assert rows["token"].source == "environment LDIMPORT_TOKEN"
    assert rows["webhook"].value == "https://…@hook.example/x?key=…"
    shown = f"{rows} {asdict(settings)['token']!r} {settings.token}"
    for word in ("s3cr3t", "pass@", "k3y"):
        assert word not in shown
    assert "s3cr3t" not in repr(settings)


# -- .livingdocs-cli (T49) ------------------------------------------------------------------

DOTFILE = {
    "environments": {
        "local": {"host": "http://localhost:9090", "distFolder": "./x"},
        "production": {"host": f"{TARGET}/", "token": "of-production"},
    },
    "projects": {
        "daily-planet": {"environments": {"production": {"host": "https://planet.example"}}}
    },
    "alias": {"prod": "production", "dp": "daily-planet"},
}


def test_the_dotfile_counts_only_for_an_environment_that_is_named(place: Place) -> None:
    place.dotfile(DOTFILE)
    assert place.load().embedded
    assert place.token() is None


@pytest.mark.parametrize(
    ("profile", "target"),
    [
        ("local", "http://localhost:9090"),
        ("production", TARGET),
        ("prod", TARGET),
        ("daily-planet/production", "https://planet.example"),
        ("dp/prod", "https://planet.example"),
    ],
)
def test_environments_projects_and_aliases(place: Place, profile: str, target: str) -> None:
    place.dotfile(DOTFILE)
    settings = place.load(profile=profile)
    assert settings.target == target
    assert settings.sources["target"].endswith(f".livingdocs-cli ({profile})")


def test_li_token_does_not_fill_in_for_an_environment_without_one(place: Place) -> None:  # T49
    place.dotfile(DOTFILE)
    place.environ["LI_TOKEN"] = "of-another-environment"
    assert place.token(profile="local") is None
    assert place.token(profile="prod") == "of-production"
    assert place.token() == "of-another-environment"


def test_our_own_variable_does_fill_in(place: Place) -> None:
    place.dotfile(DOTFILE)
    place.environ["LDIMPORT_TOKEN"] = "mine"
    assert place.token(profile="local") == "mine"


def test_the_dotfiles_token_goes_to_the_dotfiles_address_only(place: Place) -> None:
    place.dotfile(DOTFILE)
    assert place.token(profile="prod", target="https://evil.example") is None
    assert place.token(profile="prod", target="HTTPS://EDIT.tagblatt.ch:443/proxy/api") is not None


def test_the_dotfile_is_read_in_the_working_folder_only(place: Place) -> None:
    place.dotfile(DOTFILE)
    deeper = place.root / "deeper"
    deeper.mkdir()
    with pytest.raises(LdimportError, match="no profile 'prod'"):
        load({"profile": "prod"}, environ={}, cwd=deeper, home=place.root)


@pytest.mark.parametrize(
    "body", [{}, {"environments": 5}, {"environments": {"prod": None}}, {"alias": []}]
)
def test_a_dotfile_of_another_shape_says_nothing(place: Place, body: Any) -> None:
    place.dotfile(body)
    place.user("profiles: {prod: {}}\n")
    assert place.load(profile="prod").embedded
