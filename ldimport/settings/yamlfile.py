"""Small YAML files, ours and ``.livingdocs-cli``, read safely and with the line of each key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ldimport.errors import ConfigError
from ldimport.yamlsize import values_in

if TYPE_CHECKING:
    from yaml import SafeLoader

MAX_BYTES = 262_144
_MAX_NODES = 20_000  # with every alias written out, as JSON would


Lines = Mapping[str, int]


class Section(dict[str, Any]):
    """A mapping of the file; ``lines`` tells where each of its keys stands."""

    def __init__(self, content: Iterable[tuple[str, Any]] = (), lines: Lines | None = None) -> None:
        super().__init__(content)
        self.lines = lines or {}


def read_yaml(path: Path) -> Section:
    """The mapping in a YAML (or JSON) file. An empty file is an empty mapping; dates stay texts.
    Raises ConfigError with file and line for anything that cannot be read, is no mapping, or names
    a key twice."""
    import yaml

    try:
        loader = _loader()(_text(path))
        loader.name = str(path)
        node = loader.get_single_node()
        if values_in(node, _MAX_NODES) > _MAX_NODES:
            raise _broken(str(path), f"holds more than {_MAX_NODES:,} values")
        body = None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise _broken(place, error.problem or "not valid YAML") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise _broken(str(path), next(iter(str(error).splitlines()), "not YAML")) from error
    if body is not None and not isinstance(body, Section):
        raise _broken(str(path), "expected settings as `key: value` lines")
    return body or Section()


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        why = f"{path}: cannot be read: {error.strerror}"
        raise ConfigError(why, code="config-file") from error
    if len(content) > MAX_BYTES:
        raise _broken(str(path), f"larger than {MAX_BYTES:,} bytes, so it is no config file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _broken(f"{path}: byte {error.start}", "not UTF-8") from None


def _broken(place: str, why: str) -> ConfigError:
    return ConfigError(f"{place}: {why}", hint="the file has to be YAML", code="config-file")


@cache
def _loader() -> type[SafeLoader]:
    import yaml

    class Loader(yaml.SafeLoader):
        """YAML's safe subset; dates stay as they are written, and every key is a text."""

        def section(self, node: yaml.MappingNode) -> Section:
            seen: set[str] = set()
            for key, _ in node.value:
                place = f"{self.name}:{key.start_mark.line + 1}"
                if not isinstance(key, yaml.ScalarNode):
                    raise _broken(place, "a key has to be a simple word")
                if key.value in seen:
                    raise _broken(place, f"{key.value} stands here for the second time")
                seen.add(key.value)
            self.flatten_mapping(node)
            content = [(k.value, self.construct_object(v, deep=True)) for k, v in node.value]
            return Section(content, {key.value: key.start_mark.line + 1 for key, _ in node.value})

    Loader.add_constructor("tag:yaml.org,2002:map", Loader.section)
    Loader.yaml_implicit_resolvers = {
        first: [(tag, regexp) for tag, regexp in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    return Loader
