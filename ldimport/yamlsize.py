"""How much a YAML document means: a few lines with aliases can stand for billions of values."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yaml import Node


def values_in(node: Node | None, most: int) -> int:
    """Values of a document, each alias written out; one inside itself counts as ``most``. Raises
    RecursionError for what is nested too deeply."""
    return 0 if node is None else _counted(node, most, {})


def _counted(node: Node, most: int, known: dict[int, int]) -> int:
    if id(node) not in known:
        known[id(node)] = most
        parts = node.value if isinstance(node.value, list) else []
        nodes = (each for part in parts for each in (part if isinstance(part, tuple) else (part,)))
        known[id(node)] = 1 + sum(_counted(each, most, known) for each in nodes)
    return known[id(node)]
