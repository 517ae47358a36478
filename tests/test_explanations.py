"""Every code that reading or checking can find is explained, and nothing else is."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import ldimport
from ldimport.migration.explanations import explanations

PACKAGE = Path(ldimport.__file__).parent
CODE = re.compile(r"[a-z]+(?:-[a-z]+)+|required|mojibake|validity|unlisted")
FINDERS = {
    "manifest": {"add", "_wrong"},
    "schema": {"Finding", "BadValue", "_warning", "_error"},
}
ERRORS_OF_FILES = {"outside-folder", "absolute-path", "relative-url", "data-url", "no-such-file"}
"""Codes that findings take over from elsewhere, or choose by the url."""


def codes_in_the_source(package: str) -> set[str]:
    """Texts that stand where a code belongs: the first argument of a finding, the first of a
    sentence, or both ways of a choice there."""
    found = set()
    for path in (PACKAGE / package).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func
                name = name.id if isinstance(name, ast.Name) else name
                parts = node.args[:1] if name in FINDERS[package] else []
            else:
                parts = node.elts[:1] if isinstance(node, ast.Tuple) else []
            inner = (each for part in parts for each in ast.walk(part))
            found |= {each.value for each in inner if isinstance(each, ast.Constant)}
    words = {code for code in found if isinstance(code, str) and CODE.fullmatch(code)}
    return {code for code in words if not code.startswith("li-")}


@pytest.mark.parametrize(("package", "least"), [("manifest", 12), ("schema", 35)])
def test_every_code_is_explained(package: str, least: int) -> None:
    found = codes_in_the_source(package)
    assert len(found) >= least
    assert found <= {code for each in FINDERS for code in explanations(f"ldimport.{each}")}


def test_nothing_is_explained_that_is_not_found() -> None:
    for package in FINDERS:
        source = "\n".join(path.read_text() for path in (PACKAGE / package).glob("*.py"))
        for code in explanations(f"ldimport.{package}").keys() - ERRORS_OF_FILES:
            assert f'"{code}"' in source, code


@pytest.mark.parametrize("package", ["manifest", "schema", "migration"])
def test_explanations_say_what_to_do(package: str) -> None:
    for code, each in explanations(f"ldimport.{package}").items():
        assert CODE.fullmatch(code), code
        assert each.title and each.meaning.endswith(".") and each.fix, code
