"""What CSS and links inside an SVG may point at: the document itself and embedded pixels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import tinycss2
from tinycss2.ast import IdentToken, Node, StringToken, WhitespaceToken

_NOT_IN_XML = re.compile(r"\\?[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LOCAL = re.compile(r"\s*(?:#|data:image/(?:png|jpeg|jpg|gif|webp)[;,])", re.IGNORECASE)
_SCRIPT = re.compile(
    r"(?:java|vb|live)script:|(?:\A|[;,'\"(])data:(?:(?!image/)|image/svg)", re.IGNORECASE
)
_BLANK = re.compile(r"[\x00-\x20\u00a0]")
_SUSPECT = re.compile(
    r"[\\@]|//|url|src|image|element|expression|cross-fade|binding|behavi|script:", re.IGNORECASE
)
_FRAGMENT = re.compile(r"(?<![\w#@\\-])url\(#[\w.-]+\)")
"""Most of what is suspect: a gradient, a mask and the like by its id."""
_LOADERS = "url|image-set|image|src|expression|element|cross-fade"
_LOADER = re.compile(rf"(?:{_LOADERS})\Z", re.IGNORECASE)
_LIVE = re.compile(rf"@import|-moz-binding|(?:{_LOADERS})\(", re.IGNORECASE)
"""In a name or a text: what a careless reader may take for something that loads."""
_ADDRESS = re.compile(r"//|script:", re.IGNORECASE)
_BINDING = re.compile(r"-moz-binding|behaviou?r", re.IGNORECASE)
_NAMES = frozenset(("ident", "hash", "at-keyword", "dimension"))
_GAP, _NONE = WhitespaceToken(0, 0, " "), IdentToken(0, 0, "none")
_EMPTY = StringToken(0, 0, "", '""')
_STATEMENTS = ("import", "namespace", "charset")


def is_local(link: str) -> bool:
    """Whether a link stays within the document: a fragment, or embedded pixels."""
    return bool(_LOCAL.match(link))


def is_script(value: str) -> bool:
    """Whether an attribute's value runs or loads something where a browser takes it as a link;
    blanks and control characters inside it do not hide it."""
    return ":" in value and bool(_SCRIPT.search(_BLANK.sub("", value)))


def clean_css(text: str) -> str:
    """The style sheet or declaration without anything that loads from elsewhere; escapes are
    resolved first, so that none can hide a word. Empty where it cannot be read."""
    if not _SUSPECT.search(_FRAGMENT.sub("", text)):
        return text
    try:
        kept = tinycss2.serialize(_kept(tinycss2.parse_component_value_list(text)))
    except ValueError:  # a number of thousands of digits
        return ""
    return _NOT_IN_XML.sub("\ufffd", kept)


def _kept(nodes: Iterable[Node]) -> list[Node]:
    """What may stay of a list of tokens; a blank stands for what goes."""
    kept: list[Node] = []
    leaving_out = False
    for node in nodes:
        if leaving_out:
            leaving_out = node != ";" and node.type != "{} block"
        elif _begins_loading(node, kept):
            leaving_out = True
            kept.append(_GAP)
        elif node.type != "() block" or not kept or kept[-1].type not in _NAMES:
            kept.append(_safe(node))
    return kept


def _begins_loading(node: Node, before: Sequence[Node]) -> bool:
    """Whether this begins a statement or a value that is left out to its end."""
    if node.type == "at-keyword":
        return bool(node.lower_value.startswith(_STATEMENTS))
    name = next((each for each in reversed(before) if each.type != "whitespace"), None)
    return node == ":" and name is not None and _named(name, _BINDING)


def _safe(node: Node) -> Node:
    """The token itself where it is harmless, else what stands in its place."""
    if node.type == "url":
        return node if is_local(node.value) else _NONE
    if node.type == "string":
        away = _ADDRESS.search(node.value) and not is_local(node.value)
        return _EMPTY if away or _LIVE.search(node.value) else node
    if node.type == "function" and not _is_harmless(node):
        return _NONE
    if node.type in ("comment", "error"):
        return _GAP
    if node.type in _NAMES:
        word = node.unit if node.type == "dimension" else node.value
        return _GAP if _LIVE.search(word) else node
    for inner in ("content", "arguments"):
        if hasattr(node, inner):
            setattr(node, inner, _kept(getattr(node, inner)))
    return node


def _is_harmless(function: Node) -> bool:
    if function.lower_name == "url":  # in quotes, else it is a token of its own
        texts = [each for each in function.arguments if each.type != "whitespace"]
        return [each.type for each in texts] == ["string"] and is_local(texts[0].value)
    return not _LOADER.search(function.name) and not _LIVE.search(function.name)


def _named(node: Node, names: re.Pattern[str]) -> bool:
    return node.type == "ident" and names.fullmatch(node.value) is not None
