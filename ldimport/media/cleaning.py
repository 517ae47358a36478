"""SVG that may be stored and served: our reading, the sanitiser, our reading again.

``py_svg_hush`` keeps an allow-list of elements and attributes. Our reading in front of it drops
what it lets through (links to other files, urls in CSS, values aimed at scripts) and hands it
plain UTF-8 in one namespace; the same reading behind it takes its indentation out again, checks
what came out and measures it. Runs in the limited child only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from py_svg_hush import filter_svg

from ldimport.causes import Cause
from ldimport.errors import Rejected
from ldimport.media.css import clean_css, is_local, is_script
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


def clean(data: bytes, max_bytes: int) -> tuple[bytes, Facts]:
    """What to store for an SVG, and its facts. Raises Rejected: what ``SvgReader.read`` raises, or
    ``too-many-bytes`` where the clean form is too large, ``svg-unsafe`` where nothing is left."""
    first = Cleaner()
    first.read(data)
    try:
        safe = filter_svg(first.result(), _DATA_URLS)
    except ValueError as error:
        raise Rejected(Cause.SVG_UNSAFE, "the SVG cannot be made safe to show") from error
    second = Cleaner(indented=True)
    facts = second.read(safe)
    result = second.result()
    if len(result) > max_bytes:
        raise Rejected(Cause.TOO_MANY_BYTES, f"the cleaned SVG has {len(result):,} bytes")
    return result, facts


class Cleaner(SvgReader):
    """Writes the document again while reading it, leaving out what must not be stored.

    Line breaks in text become blanks, which is how SVG shows them; ``indented`` says that line
    breaks are the sanitiser's indentation, and takes them out.
    """

    def __init__(self, *, indented: bool = False) -> None:
        super().__init__()
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
        self._out.append(f"<{local}{namespace}{_attributes(attributes)}")
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


def _attributes(attributes: Sequence[str]) -> str:
    """The attributes that may stay, written out. Those in a namespace go, but for the old way of
    linking, which becomes the plain one."""
    kept: dict[str, str] = {}
    for name, value in zip(attributes[::2], attributes[1::2], strict=True):
        if ":" in value and is_script(value):
            continue
        if name in ("href", "src", _XLINK_HREF):
            if is_local(value) and ("href" not in kept or name == "href"):
                kept["href"] = value
        elif " " not in name and not name.lower().startswith("on"):
            kept[name] = clean_css(value) if "(" in value or "\\" in value else value
    return "".join([f' {name}="{_escaped(text)}"' for name, text in kept.items()])


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES) if _SPECIAL.search(text) else text
