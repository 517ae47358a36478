"""Writes the tables of codes and plugins into README and docs, from where the code has them::

    python docs/generate.py            writes blocks that are out of date
    python docs/generate.py --check    shows them, and ends with 1

A block stands between ``<!-- generated: NAME -->`` and ``<!-- end of NAME -->``.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import resources

from pages import ROOT, write_or_check

from ldimport.causes import FORMATS, Cause, known_cause
from ldimport.errors import ExitCode
from ldimport.migration.explanations import OTHERS, Explanation, explanations
from ldimport.model import Json
from ldimport.schema.properties import EXAMPLES, PLUGINS, TABLES, Plugin, ValueShape, shapes

PAGES = ("README.md", "docs/reference.md")

Row = tuple[str, ...]


def exit_codes() -> Iterator[Row]:
    """Every exit code, and what cron should do."""
    yield "exit", "meaning", "cron should"
    for code in ExitCode:
        yield str(int(code)), code.meaning, code.cron


def causes() -> Iterator[Row]:
    """Why an image failed, or was taken with a note."""
    yield "cause", "meaning", "again", "what to do"
    words = tomllib.loads(resources.files("ldimport").joinpath("causes.toml").read_text("utf-8"))
    for code in words:
        shown = {"status": "NNN", "format": "FORMAT"}
        cause = next((each for each in Cause if each.code == code), None)
        if cause is None:  # one value of a parameter, with words of its own
            found = known_cause(code)
            assert found is not None
            yield f"`{code}`", cell(found.meaning), again(found.retryable), cell(found.hint)
            continue
        texts = {**words[code]}
        passes = cause.with_(status=200, format="webp").retryable
        yield (
            f"`{code.format_map(shown)}`",
            cell(texts["meaning"].format_map(shown)),
            "by status" if cause is Cause.ORIGIN_STATUS else again(passes),
            cell(texts["hint"].format_map(shown)),
        )


def again(retryable: bool) -> str:
    """Whether the same request may work later."""
    return "yes" if retryable else "no"


def formats() -> Iterator[Row]:
    """What ``FORMAT`` may be in a code."""
    yield "FORMAT", "is"
    for word, name in FORMATS.items():
        yield f"`{word}`", cell(name)


def codes(found: Mapping[str, Explanation]) -> Iterator[Row]:
    """Codes with what they mean and the ways out."""
    yield "code", "meaning", "what to do"
    for code, each in found.items():
        ways = "<br>".join(cell(way) for way in each.fix)
        yield f"`{code}`", f"**{cell(each.title)}.** {cell(each.meaning)}", ways


_CELLS = {
    ValueShape.TEXT: ("a text", "as it is"),
    ValueShape.TEXTS: ("a list of texts", "between separators, or as JSON"),
    ValueShape.INTEGERS: ("a list of whole numbers", "between separators, or as JSON"),
    ValueShape.INTEGER: ("a whole number", "`5`, `1'204`, `5.0`"),
    ValueShape.BOOLEAN: ("true or false", "yes, no, and the words below"),
    ValueShape.DATE: ("a day", "`2003-04-12`, `12.04.2003`, or by `date`"),
    ValueShape.DATETIME: ("a moment", "with a zone, or by `date` and `zone`"),
    ValueShape.OBJECT: ("an object", "JSON"),
}
"""What a value is, and how it stands in a cell of a CSV or as a text of YAML."""
_PLAIN: Mapping[ValueShape, Json] = {
    ValueShape.TEXT: "a text", ValueShape.TEXTS: ["lake", "morning"], ValueShape.INTEGERS: [4, 7],
    ValueShape.INTEGER: 5,
}  # fmt: skip
_EXAMPLES: Mapping[str, Json] = {
    "li-document-references": {"$ref": "documents", "references": [{"id": "42"}]},
    "li-reference-list": {"$ref": "documents", "references": [{"id": "42"}]},
    "li-named-crops": {"crops": [{"name": "teaser", "x": 0, "y": 0, "width": 160, "height": 90}]},
}


def plugins() -> Iterator[Row]:
    """Plugins of media types, with what they store."""
    yield "plugin", "stores", "in a cell", "example, as it is sent", "keys"
    for handle, plugin in PLUGINS.items():
        if not plugin.media:
            continue
        what, how = _CELLS[plugin.shape]
        name = f"`{handle}`" + (f"<br>{plugin.gone}" if plugin.gone else "")
        sent = json.dumps(example(plugin), ensure_ascii=False)
        yield name, what, how, f"`{sent}`", ", ".join(keys(handle))


def example(plugin: Plugin) -> Json:
    """A value that the plugin stores."""
    found = EXAMPLES.get(plugin.handle, _EXAMPLES.get(plugin.handle, _PLAIN.get(plugin.shape)))
    if plugin.shape is ValueShape.BOOLEAN:
        return found in TABLES["booleans"]["true"]
    return found


def keys(handle: str) -> Iterator[str]:
    """Keys of the objects that a plugin stores; those that must be there in bold."""
    schema = shapes()[handle]
    while isinstance(name := schema.get("$ref"), str):
        schema = shapes()[name.removeprefix("#/$defs/")]
    known, needed = schema.get("properties", {}), schema.get("required", [])
    for key in known:
        yield f"**`{key}`**" if key in needed else f"`{key}`"


def elsewhere() -> str:
    """Plugins that no media type may have."""
    return ", ".join(f"`{handle}`" for handle, each in PLUGINS.items() if not each.media)


def booleans() -> str:
    """The words for yes and no, in a sentence."""
    said = {value: ", ".join(f"`{word}`" for word in TABLES["booleans"][value])
            for value in ("true", "false")}  # fmt: skip
    return f"Yes is {said['true']}; no is {said['false']}, in any case."


BLOCKS: Mapping[str, Callable[[], str]] = {
    "exit-codes": lambda: table(exit_codes()),
    "causes": lambda: table(causes()),
    "formats": lambda: table(formats()),
    "problems-of-files": lambda: table(codes(explanations("ldimport.manifest"))),
    "problems-of-rows": lambda: table(codes(explanations("ldimport.schema"))),
    "problems-beside": lambda: table(codes(explanations("ldimport.migration"))),
    "others": lambda: table(codes(OTHERS)),
    "plugins": lambda: table(plugins()),
    "booleans": booleans,
    "plugins-elsewhere": elsewhere,
}


# -- Markdown -----------------------------------------------------------------------------------


def cell(text: str) -> str:
    """A text in a cell of a table: nothing in it is Markdown."""
    return re.sub(r"([|*_<\[\]`\\])", r"\\\1", " ".join(text.split()))


def table(rows: Iterable[Row]) -> str:
    """A table whose first row is its head."""
    head, *others = rows
    lines = [f"| {' | '.join(each)} |" for each in (head, *others)]
    return "\n".join([lines[0], "|---" * len(head) + "|", *lines[1:]])


def renewed(page: str) -> str:
    """The text of a page with its blocks as they are now. KeyError: a block that nobody makes."""
    text = (ROOT / page).read_text(encoding="utf-8")
    block = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end of \2 -->)", re.DOTALL)
    return block.sub(lambda found: f"{found[1]}{BLOCKS[found[2]]()}\n{found[3]}", text)


if __name__ == "__main__":
    sys.exit(write_or_check(renewed, PAGES, "python docs/generate.py"))
