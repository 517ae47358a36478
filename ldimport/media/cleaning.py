"""SVG that may be stored and served: our reading, the sanitiser, our reading again.

``py_svg_hush`` keeps an allow-list of elements and attributes. Our reading in front of it drops
what it lets through (links to other files, urls in CSS, values aimed at scripts) and hands it
plain UTF-8 in one namespace; the same reading behind it takes its indentation out again, checks
what came out and measures it. Runs in the limited child only.
"""

import re
from collections.abc import Iterable, Sequence

import tinycss2
from py_svg_hush import filter_svg
from tinycss2.ast import IdentToken, Node, StringToken, WhitespaceToken

from ldimport.causes import Cause
from ldimport.errors import Rejected
from ldimport.media.references import References
from ldimport.media.svg import NAMESPACE, SvgReader
from ldimport.model import Facts

_XLINK_HREF = "http://www.w3.org/1999/xlink href"
_FORBIDDEN = frozenset({"script", "foreignobject", "handler", "listener", "iframe", "embed",
                        "object", "audio", "video", "canvas", "link", "meta", "base"})  # fmt: skip
_ANIMATIONS = frozenset({"animate", "set", "animatetransform", "animatemotion"})
_TEXTUAL = frozenset({"text", "title", "desc", "style"})
_DATA_URLS = {"image": ["png", "jpeg", "gif", "webp"]}
_SPECIAL = re.compile(r'[&<>"]')
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})
_LINE_BREAK = re.compile(r"[\t\r\n]")
_INDENT = re.compile(r"\n *")

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


def clean(data: bytes, max_bytes: int) -> tuple[bytes, Facts]:
    """What to store for an SVG, and its facts. Raises Rejected: what ``SvgReader.read`` raises, or
    ``too-many-bytes`` where the clean form is too large, ``svg-unsafe`` where nothing is left."""
    first = Cleaner()
    first.read(data)
    try:
        safe = filter_svg(first.result(), _DATA_URLS)
    except ValueError as error:
        raise Rejected(Cause.SVG_UNSAFE, "the SVG cannot be made safe to show") from error
    second = Cleaner(indented=True, alone=first.references.too_many())
    facts = second.read(safe)
    result = second.result()
    if len(result) > max_bytes:
        raise Rejected(Cause.TOO_MANY_BYTES, f"the cleaned SVG has {len(result):,} bytes")
    return result, facts


class Cleaner(SvgReader):
    """Writes the document again while reading it, leaving out what must not be stored.

    Line breaks in text become blanks, which is how SVG shows them; ``indented`` says that line
    breaks are the sanitiser's indentation, and takes them out. ``alone`` leaves out the references
    of elements to each other.
    """

    def __init__(self, *, indented: bool = False, alone: bool = False) -> None:
        super().__init__()
        self.references = References()
        self._alone = alone
        self._breaks = (_INDENT, "") if indented else (_LINE_BREAK, " ")
        self._out: list[str] = []
        self._characters: list[str] = []
        self._open = False
        self._skip_below = 0
        self._text_from = 0
        self._style_from = 0

    def result(self) -> bytes:
        """The document, UTF-8."""
        return "".join(self._out).encode()

    def on_start(self, name: str, attributes: Sequence[str]) -> None:
        """Write the start tag, or begin to leave out a whole element."""
        if self._skip_below:
            return
        self._flush()
        space, _, local = name.rpartition(" ")
        if space not in (self.namespace, NAMESPACE) or _dangerous(local, attributes):
            self._skip_below = self.depth
            return
        namespace = f' xmlns="{NAMESPACE}"' if self.depth == 1 else ""
        self._close_tag()
        kept = _kept_attributes(attributes)
        if self._alone:
            kept = {key: value for key, value in kept.items() if not _names_another(key, value)}
        self.references.begin(local, kept)
        written = "".join([f' {key}="{_escaped(value)}"' for key, value in kept.items()])
        self._out.append(f"<{local}{namespace}{written}")
        self._open = True
        if local in _TEXTUAL:
            self._text_from = self._text_from or self.depth
        if local == "style":
            self._style_from = self._style_from or self.depth

    def on_end(self, name: str) -> None:
        """Write the end tag, or end leaving out. The depth is already the parent's."""
        if self._skip_below:
            if self.depth < self._skip_below:
                self._skip_below = 0
            return
        self._flush()
        self.references.end()
        if self._open:
            self._out.append("/>")
            self._open = False
        else:
            self._out.append(f"</{name.rpartition(' ')[2]}>")
        if self.depth < self._text_from:
            self._text_from = 0
        if self.depth < self._style_from:
            self._style_from = 0

    def on_text(self, text: str) -> None:
        """Keep character data where it means something."""
        if self._text_from and not self._skip_below:
            self._characters.append(text)

    def _flush(self) -> None:
        if not self._characters:
            return
        pattern, replacement = self._breaks
        text = pattern.sub(replacement, "".join(self._characters))
        self._characters.clear()
        if self._style_from:
            text = clean_css(text)
        if text:
            self._close_tag()
            self._out.append(_escaped(text))

    def _close_tag(self) -> None:
        if self._open:
            self._out.append(">")
            self._open = False


def _dangerous(local: str, attributes: Sequence[str]) -> bool:
    """Whether an element is left out with all that it holds."""
    name = local.lower()
    if name in _FORBIDDEN:
        return True
    return name in _ANIMATIONS and any(
        attribute == "attributeName" and (value.strip().lower().startswith("on") or "href" in value)
        for attribute, value in zip(attributes[::2], attributes[1::2], strict=True)
    )


def _kept_attributes(attributes: Sequence[str]) -> dict[str, str]:
    """The attributes that may stay. Those in a namespace go, but for the old way of
    linking, which becomes the plain one."""
    kept: dict[str, str] = {}
    for name, value in zip(attributes[::2], attributes[1::2], strict=True):
        if ":" in value and _is_script(value):
            continue
        if name in ("href", "src", _XLINK_HREF):
            if _is_local(value) and ("href" not in kept or name == "href"):
                kept["href"] = value
        elif " " not in name and not name.lower().startswith("on"):
            kept[name] = clean_css(value) if "(" in value or "\\" in value else value
    return kept


def _names_another(name: str, value: str) -> bool:
    return "url(" in value or (name == "href" and value.lstrip().startswith("#"))


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES) if _SPECIAL.search(text) else text


# -- CSS and links: they may point at the document itself and at embedded pixels -----------------


def _is_local(link: str) -> bool:
    """Whether a link stays within the document: a fragment, or embedded pixels."""
    return bool(_LOCAL.match(link))


def _is_script(value: str) -> bool:
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
    if node != ":":
        return False
    name = next((each for each in reversed(before) if each.type != "whitespace"), _NONE)
    return name.type == "ident" and bool(_BINDING.fullmatch(name.value))


def _safe(node: Node) -> Node:
    """The token itself where it is harmless, else what stands in its place."""
    if node.type == "url":
        return node if _is_local(node.value) else _NONE
    if node.type == "string":
        away = _ADDRESS.search(node.value) and not _is_local(node.value)
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
        return [each.type for each in texts] == ["string"] and _is_local(texts[0].value)
    return not _LOADER.search(function.name) and not _LIVE.search(function.name)
