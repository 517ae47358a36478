"""The house stays in shape: imports run one way, and the core knows no terminal."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

import ldimport

PACKAGE = Path(ldimport.__file__).parent
ROOT = Path(__file__).resolve().parent.parent
FOUNDATION = {"causes", "cells", "files", "model", "errors", "system", "wire", "database",
              "yamlsize", "retry_after", "url", "credentials", "authorities", "request_check",
              "mojibake", "harmless", "closing", "database_rows", "faults", "api_versions",
              "local_names", "heartbeat", "wording", "html"}  # fmt: skip
ALLOWED = {
    "__main__": {"cli"},
    "model": set(),
    "causes": set(),
    "yamlsize": set(),
    "cells": {"harmless", "model"},
    "files": {"errors", "harmless", "system"},
    "errors": {"causes"},
    "system": {"errors"},
    "wire": {"model", "errors", "causes"},
    "request_check": {"model", "errors", "wire", "url"},
    "database": {"errors", "system"},
    "database_rows": {"database"},
    "retry_after": set(),
    "url": {"errors", "causes"},
    "credentials": {"errors"},
    "authorities": {"errors"},
    "mojibake": set(),
    "api_versions": set(),
    "harmless": set(),
    "faults": set(),
    "closing": set(),
    "heartbeat": {"credentials", "errors"},
    "local_names": {"causes", "errors"},
    "wording": {"harmless", "url"},
    "html": {"wording"},
    "settings": FOUNDATION | {"client"},
    "manifest": FOUNDATION,
    "schema": FOUNDATION | {"media"},
    "media": FOUNDATION,
    "net": FOUNDATION,
    "client": FOUNDATION,
    "engine": FOUNDATION | {"media", "net", "schema"},
    "server": FOUNDATION | {"engine", "net", "schema", "media"},
    "targets.base": FOUNDATION,
    "targets.embedded": FOUNDATION | {"engine", "targets.base", "schema"},
    "targets.livingdocs": FOUNDATION | {"client", "targets.base"},
    "migration": FOUNDATION | {"manifest", "schema", "targets", "client", "engine", "media", "net"},
    "cli": FOUNDATION
    | {"migration", "server", "engine", "settings", "manifest", "schema", "targets.base"},
}
"""Who may import whom. ``migration.open`` alone makes targets, so it names client and engine;
``settings.checking`` asks the server, so it names client."""
TERMINAL_AND_WEB = {"typer", "click", "rich", "starlette", "uvicorn"}
CORE = {"migration", "engine", "manifest", "schema", "media", "net", "targets", "client", "wire",
        "model", "errors", "system", "database", "settings"}  # fmt: skip


def modules() -> list[str]:
    names = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return [name for name in names if name]


def imported(name: str) -> set[str]:
    """Every module that ``name`` imports, anywhere in the file."""
    base = PACKAGE.joinpath(*name.split("."))
    path = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} uses a relative import"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def owner(name: str) -> str:
    """The part of the house a module belongs to; ``targets`` has a rule for each file."""
    parts = name.split(".")
    return ".".join(parts[:2]) if parts[0] == "targets" and len(parts) > 1 else parts[0]


@pytest.mark.parametrize("name", modules())
def test_imports_run_one_way(name: str) -> None:
    mine = owner(name)
    if mine == "targets":
        return  # the package's own docstring
    for other in imported(name):
        if not other.startswith("ldimport."):
            continue
        theirs = other.removeprefix("ldimport.")
        if theirs == "__version__" or owner(theirs).split(".")[0] == mine:
            continue
        allowed = ALLOWED[mine]
        assert owner(theirs) in allowed or owner(theirs).split(".")[0] in allowed, (
            f"{name} imports {theirs}"
        )


@pytest.mark.parametrize("name", [name for name in modules() if name.split(".")[0] in CORE])
def test_the_core_knows_no_terminal_and_no_web_framework(name: str) -> None:
    heads = {other.split(".")[0] for other in imported(name)}
    assert not heads & TERMINAL_AND_WEB


@pytest.mark.parametrize("name", modules())
def test_sqlite_stays_behind_the_stores(name: str) -> None:
    if not name.startswith(("database", "engine.store.sqlite", "migration.store")):
        assert "sqlite3" not in imported(name)


# -- names, sizes, sources ----------------------------------------------------------------------


def python_files(*folders: str) -> list[Path]:
    root = ROOT
    return sorted(path for folder in folders for path in (root / folder).rglob("*.py"))


def test_a_class_name_means_one_thing() -> None:
    places: dict[str, list[str]] = {}
    for path in python_files("ldimport"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name.lstrip("_"), []).append(path.name)
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_no_module_is_two_subjects_long() -> None:
    sizes = {path: len(path.read_text().splitlines()) for path in python_files("ldimport")}
    assert {str(path): lines for path, lines in sizes.items() if lines > 400} == {}


ELSEWHERE = re.compile(
    r"\b(?:hostile|livingdocs|ux|design)\.md\b|\bdesign,? (?:section )?\d"
    r"|\b[Tt]he seed\b|\bseed, \"|\bfinding \d"
)
"""Pages that are not in the repository."""
PAGE = re.compile(r"docs/([\w-]+)\.md(?:,? \"([^\"]+)\")?")


def prose(path: Path) -> str:
    """Comments and docstrings of a module, in one line."""
    source = path.read_text()
    told = [
        token.string
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    ]
    told += [
        node.value.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ]
    return " ".join(" ".join(told).split())


@pytest.mark.parametrize("folder", ["ldimport", "tests"])
def test_comments_cite_no_page_outside_the_repository(folder: str) -> None:
    found = {str(path): ELSEWHERE.findall(prose(path)) for path in python_files(folder)}
    assert {path: words for path, words in found.items() if words} == {}


def test_a_cited_section_stands_in_its_page() -> None:
    docs = ROOT / "docs"
    for path in python_files("ldimport", "tests"):
        for page, section in PAGE.findall(prose(path)):
            text = (docs / f"{page}.md").read_text(encoding="utf-8")
            assert not section or f"\n## {section}\n" in text, f"{path}: {page}.md, {section}"


def test_the_architecture_page_names_what_there_is() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:[a-z]+/)*[a-z_]+\.(?:py|json|toml))`", text)
    roots = (PACKAGE, ROOT)
    whole = [name for name in named if "/" in name]
    assert [name for name in whole if not any((root / name).is_file() for root in roots)] == []
    tree = text.split("    ldimport/\n")[1].split("\n\n")[0]
    there = {path.name for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert {name for name in there if not name.startswith("_") and name not in tree} == set()
