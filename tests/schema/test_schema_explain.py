"""Every code that a check can find is explained, and nothing else is."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import ldimport.schema
from ldimport.manifest import CODES as READER_CODES
from ldimport.schema.explain import CODES

FOLDER = Path(ldimport.schema.__file__).parent
CODE = re.compile(r"[a-z]+(?:-[a-z]+)+|required|mojibake|validity|unlisted")


def codes_in_the_source() -> set[str]:
    """Texts that stand where a code belongs: the first argument of a finding, the first of a
    sentence."""
    found = set()
    for path in FOLDER.glob("*.py"):
        if path.name == "explain.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            parts: list[ast.expr] = []
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                if node.func.id in ("Finding", "BadValue", "_warning", "_error"):
                    parts = node.args[:1]
            elif isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
                parts = node.value.elts[:1]
            for part in parts:
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    found.add(part.value)
    return {code for code in found if CODE.fullmatch(code)}


def test_every_code_is_explained() -> None:
    found = codes_in_the_source()
    assert len(found) > 30
    assert found | set(READER_CODES) <= set(CODES)


def test_explanations_say_what_to_do() -> None:
    for code, each in CODES.items():
        assert CODE.fullmatch(code), code
        assert each.title and each.meaning.endswith(".") and each.fix, code
