"""What is wrong in a flag, a variable or a file is refused with its place and a way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ldimport.errors import ConfigError, ExitCode, LdimportError, UsageError
from ldimport.settings import Settings, load
from ldimport.settings.files import read_file


def project(folder: Path, text: str | bytes) -> Settings:
    content = text if isinstance(text, bytes) else text.encode()
    (folder / "ldimport.yaml").write_bytes(content)
    return load({}, environ={}, cwd=folder, home=folder / "home")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("a: 1\n", ":1: a is not a setting", "known are target"),
        ("target: embedded\nsytemName: x\n", ":2: sytemName is not", "did you mean systemName?"),
        ("SYSTEMNAME: x\n", "SYSTEMNAME is not", "did you mean systemName?"),
        ("token_file: x\n", "token_file is not", "did you mean tokenFile?"),
        (
            "insecure: true\n",
            "insecure is not a setting",
            "no file: --insecure, or LDIMPORT_INSECURE",
        ),
        ("state: true\n", "state must be a text", 'put it in quotes: "true"'),
        ("url: https://x.example\n", "url is not a setting", "did you mean target?"),
        ("system-name: x\n", "system-name is not", "did you mean systemName?"),
        ("columns: {}\n", "columns is not", "did you mean manifest?"),
        ("profiles:\n  a:\n    webhok: x\n", ":3: profiles.a.webhok is not", "webhook?"),
        ("systemName: 5\n", ":1: systemName must be a text, not a number", 'quotes: "5"'),
        ("systemName: yes\n", "must be a text, not true or false", ""),
        ("systemName:\n", "must be a text, not nothing", ""),
        ("systemName: ''\n", "must not be empty", ""),
        ("projectConfig: [a]\n", "must be a text, not a list", ""),
        ("target: ftp://x\n", "must be an http or https URL", ""),
        ("target: local\n", "or be the word embedded", ""),
        ("target: https://u:pw@x\n", "must not contain a user name", ""),
        ("target: https://x/api/v1\n", "without the /api/<version> part", ""),
        ("apiVersion: 2\n", "must be a text", ""),
        ("apiVersion: beta\n", "must be v1 or a dated version", ""),
        ("allowHosts: 5\n", "must be a list of HOST", "images.local"),
        ("allowHosts: [5]\n", "must be a list of HOST", ""),
        ("allowHosts: ['http://a/']\n", "must hold HOST or HOST:PORT", ""),
        ("baseUrl: images/\n", "must be an http or https URL", ""),
        ("webhook: nope\n", "must be an http or https URL", ""),
        ("context: [1]\n", "must be a JSON object, not a list", ""),
        ("context: {a: .nan}\n", "cannot be written as JSON", ""),
        (f"context: {{a: {'x' * 8200}}}\n", "bytes of JSON; the API allows 8,192", ""),
        ("context: '{'\n", "must be a JSON object or @FILE", ""),
        ("context: '@none.json'\n", "cannot be read", ""),
        ("manifest: text\n", "must be a mapping, not a text", ""),
        ("insecure: true\n", "insecure is not a setting", ""),
        ("profiles: [a]\n", "profiles must be a mapping", ""),
        ("profiles: {a: 5}\n", ":1: profiles.a must be a mapping", ""),
        ("profiles: {a: ''}\n", ":1: profiles.a must be a mapping", ""),
        ("- a\n", "expected settings", ""),
        ("just text\n", "expected settings", ""),
        ("target: [\n", "ldimport.yaml:2:1: ", ""),
        ("a: b: c\n", "ldimport.yaml:1:5: ", ""),
        ("target: embedded\ntarget: embedded\n", ":2: target stands here for the second time", ""),
        ("profiles:\n  a: {}\n  a: {}\n", ":3: a stands here for the second time", ""),
        ("? [a, b]\n: c\n", ":1: a key has to be a simple word", ""),
        ("context: !!python/object:os.system {}\n", "a text that begins with ! needs quotes", ""),
        (b"target: \xff\n", "byte 8: not UTF-8", ""),
        (b"target: \x00\n", "a control character stands in it", ""),
        ("a: &a [*a]\n", "holds more than", ""),
        ("[" * 5000, "ldimport.yaml", ""),
        ("#" * 300_000, "so it is no config file", ""),
    ],
)
def test_a_mistake_in_a_file_is_refused_with_its_place(
    tmp_path: Path, text: str | bytes, message: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        project(tmp_path, text)
    assert caught.value.exit_code is ExitCode.CONFIG
    assert caught.value.message.startswith(str(tmp_path / "ldimport.yaml"))
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")


def test_aliases_do_not_blow_up(tmp_path: Path) -> None:
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    text = "context:\n  a0: &a0 [x]\n" + "".join(f"  {level}\n" for level in levels)
    with pytest.raises(ConfigError, match="holds more than"):
        project(tmp_path, text)


def test_anchors_and_merges_work(tmp_path: Path) -> None:
    text = "context: &c {a: 1}\nprofiles: {p: {context: {<<: *c, b: 2}}}\n"
    (tmp_path / "ldimport.yaml").write_text(text)
    settings = load({"profile": "p"}, environ={}, cwd=tmp_path, home=tmp_path)
    assert settings.context == {"a": 1, "b": 2}


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "\ufeffprofiles:\n"])
def test_an_empty_file_is_no_mistake(tmp_path: Path, text: str) -> None:
    assert project(tmp_path, text).embedded


def test_profiles_that_are_not_in_use_are_checked_too(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"profiles\.other\.target"):
        project(tmp_path, "profiles:\n  other:\n    target: nope\n")


@given(text=st.text() | st.from_regex(r"[a-zA-Z:{}\[\]&*\n -]{0,40}"))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_read_or_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "any.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        read_file(path, tmp_path, private=True)
    except ConfigError as error:
        assert str(path) in error.message


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"target": "nope"}, "--target must be an http or https URL"),
        ({"api_version": "beta"}, "--api-version must be v1"),
        ({"system_name": " "}, "--system-name must not be empty"),
        ({"allow_hosts": ["a/b"]}, "--allow-host must hold HOST"),
        ({"allow_hosts": ["a b"]}, "--allow-host must hold HOST or HOST:PORT, not “a b”"),
        ({"context": "{"}, "--context must be a JSON object"),
        ({"context": "@none.json"}, "--context names"),
        ({"base_url": "x"}, "--base-url must be"),
    ],
)
def test_a_wrong_flag_is_a_usage_error(tmp_path: Path, flags: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(flags, environ={}, cwd=tmp_path, home=tmp_path)
    assert message in caught.value.message
    assert caught.value.exit_code is ExitCode.USAGE


def test_a_nat64_prefix_stands_among_the_allowed_hosts(tmp_path: Path) -> None:
    flags = {"allow_hosts": ["64:ff9b::/96", "a:80"]}
    found = load(flags, environ={}, cwd=tmp_path, home=tmp_path).allow_hosts
    assert found == ("64:ff9b::/96", "a:80")


def test_a_wrong_variable_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="LDIMPORT_TARGET must be"):
        load({}, environ={"LDIMPORT_TARGET": "nope"}, cwd=tmp_path, home=tmp_path)
    with pytest.raises(ConfigError, match="LDIMPORT_INSECURE must be true or false"):
        load({}, environ={"LDIMPORT_INSECURE": "maybe"}, cwd=tmp_path, home=tmp_path)


def test_an_unknown_profile_is_a_usage_error_that_names_the_known(tmp_path: Path) -> None:
    (tmp_path / "ldimport.yaml").write_text("profiles: {tagblatt: {}, bund: {}}\n")
    for profile, hint in (("tagblat", "did you mean tagblatt?"), ("x", "known are bund, tagblatt")):
        with pytest.raises(UsageError) as caught:
            load({"profile": profile}, environ={}, cwd=tmp_path, home=tmp_path)
        assert caught.value.hint == hint
        assert caught.value.code == "no-such-profile"


def test_a_named_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.yaml") as caught:
        load({"config": "none.yaml"}, environ={}, cwd=tmp_path, home=tmp_path)
    assert caught.value.code == "no-such-file"


def test_a_flag_nobody_knows_is_a_bug(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="sytem_name"):
        load({"sytem_name": "x"}, environ={}, cwd=tmp_path, home=tmp_path)


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "ldimport.yaml").mkdir()
    assert load({}, environ={}, cwd=tmp_path, home=tmp_path).embedded
    with pytest.raises(LdimportError, match="no such config file"):
        load({"config": "ldimport.yaml"}, environ={}, cwd=tmp_path, home=tmp_path)
