"""Small YAML files, ours and ``.livingdocs-cli``, read safely and with the line of each key."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ldimport.errors import ConfigError

if TYPE_CHECKING:
    from yaml import Node, SafeLoader

MAX_BYTES = 262_144
_MAX_NODES = 20_000  # with every alias written out, as JSON would
_DEPTH = 4  # profiles: name: setting: nothing deeper is reported by line

Lines = Mapping[tuple[str, ...], int]


def read_yaml(path: Path) -> tuple[dict[str, Any], Lines]:
    """The mapping in a YAML (or JSON) file, and the line of each key by its path. An empty file
    is an empty mapping; dates stay texts. Raises ConfigError with file and line for anything
    that cannot be read, is no mapping, or names a key twice."""
    import yaml

    try:
        loader = _loader()(_text(path))
        node = loader.get_single_node()
        if node is None:
            return {}, {}
        if _size(node, {}) > _MAX_NODES:
            raise _broken(str(path), f"holds more than {_MAX_NODES:,} values")
        lines: dict[tuple[str, ...], int] = {}
        _collect(node, (), lines, path)
        body = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise _broken(place, error.problem or "not valid YAML") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise _broken(str(path), next(iter(str(error).splitlines()), "not YAML")) from error
    if body is None:
        return {}, {}
    if not isinstance(body, dict):
        raise _broken(str(path), "expected settings as `key: value` lines")
    return body, lines


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read: {error.strerror}", code="config-file"
        ) from error
    if len(content) > MAX_BYTES:
        raise _broken(str(path), f"larger than {MAX_BYTES:,} bytes, so it is no config file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _broken(f"{path}: byte {error.start}", "not UTF-8") from None


def _broken(place: str, why: str) -> ConfigError:
    return ConfigError(f"{place}: {why}", hint="the file has to be YAML", code="config-file")


def _collect(
    node: Node, at: tuple[str, ...], lines: dict[tuple[str, ...], int], path: Path
) -> None:
    from yaml import MappingNode, ScalarNode

    if not isinstance(node, MappingNode) or len(at) >= _DEPTH:
        return
    seen: set[str] = set()
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, ScalarNode):
            raise _broken(f"{path}:{line}", "a key has to be a simple word")
        if key.value in seen:
            raise _broken(f"{path}:{line}", f"{key.value} stands here for the second time")
        seen.add(key.value)
        lines[*at, key.value] = line
        _collect(value, (*at, key.value), lines, path)


def _size(node: Node, known: dict[int, int]) -> int:
    """Values below a node, each alias counted in full; a cycle counts as too many."""
    if id(node) not in known:
        known[id(node)] = _MAX_NODES
        value = node.value
        parts = value if isinstance(value, list) else []
        nodes = [each for part in parts for each in (part if isinstance(part, tuple) else (part,))]
        known[id(node)] = 1 + sum(_size(each, known) for each in nodes)
    return known[id(node)]


@cache
def _loader() -> type[SafeLoader]:
    import yaml

    class Loader(yaml.SafeLoader):
        """YAML's safe subset; dates stay as they are written, and every key is a text."""

        def construct_mapping(
            self, node: yaml.MappingNode, deep: bool = False
        ) -> dict[Hashable, Any]:
            self.flatten_mapping(node)
            return {
                self.construct_scalar(key): self.construct_object(value, deep=deep)
                for key, value in node.value
            }

    Loader.yaml_implicit_resolvers = {
        first: [(tag, regexp) for tag, regexp in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    return Loader
