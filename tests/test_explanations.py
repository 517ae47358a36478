"""Every code that a screen, a file or JSON can show is explained, and nothing else is."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import ldimport
from ldimport.causes import known_cause
from ldimport.errors import ExitCode, LdimportError
from ldimport.migration.explanations import CODES, OTHERS, explanations

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


# -- errors, notices, reports -------------------------------------------------------------------

NOTES = {"Notice", "ReadingNote", "notice", "note"}
"""Whose first argument is a code; the second one of ``error`` is."""
REPORTED = {"invalid", "stopped", "more"} | {
    code.word for code in (ExitCode.INTERRUPTED, ExitCode.TERMINATED)
}
"""Kinds of cases in JUnit, and how a signal ends a run."""


def texts(node: ast.AST | None) -> set[str]:
    inner = ast.walk(node) if node is not None else ()
    found = (each.value for each in inner if isinstance(each, ast.Constant))
    return {text for text in found if isinstance(text, str)}


def given(node: ast.AST) -> set[str]:
    """Texts of a node that stand where a code belongs: ``code="…"``, the argument of a notice or an
    error, ``code, hint = "…", "…"``."""
    found: set[str] = set()
    if isinstance(node, ast.Call | ast.ClassDef):
        for keyword in node.keywords:
            value = keyword.value
            if keyword.arg == "code" and isinstance(value, ast.Constant | ast.IfExp):
                ways = [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
                found |= set().union(*map(texts, ways))
    if isinstance(node, ast.Call):
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        found |= texts(node.args[0]) if name in NOTES and node.args else set()
        if name == "error" and len(node.args) > 1 and isinstance(node.args[1], ast.Constant):
            found |= texts(node.args[1])
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):
        for target in node.targets:
            names = [getattr(each, "id", "") for each in getattr(target, "elts", ())]
            if "code" in names:
                found |= texts(node.value.elts[names.index("code")])
    return {text for text in found if re.fullmatch("[a-z0-9]+(?:-[a-z0-9]+)*", text)}


def printed() -> dict[str, str]:
    """Every code in the source, with a file in which it stands."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            found |= dict.fromkeys(given(node), str(path.relative_to(PACKAGE)))
    return found


def errors(kind: type[LdimportError]) -> set[str]:
    """Codes of a class of errors and of those below it."""
    return {kind.default_code}.union(*map(errors, kind.__subclasses__()))


def test_every_code_of_errors_notices_and_reports_is_explained() -> None:
    found = printed()
    assert len(found) > 90
    codes = {*found, *errors(LdimportError), *REPORTED}
    known = {*CODES, *OTHERS}
    unknown = {code: found.get(code) for code in codes - known if not known_cause(code)}
    assert not unknown


def test_nothing_else_is_explained_beside_them() -> None:
    assert set(OTHERS) <= {*printed(), *errors(LdimportError), *REPORTED}


def test_what_is_explained_of_errors_says_what_to_do() -> None:
    for code, each in OTHERS.items():
        assert each.title and each.meaning.endswith(".") and all(each.fix), code
