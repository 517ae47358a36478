"""What CSS and links inside an SVG may point at: the document itself and embedded pixels."""

from __future__ import annotations

import re

_LOCAL = re.compile(r"\s*(?:#|data:image/(?:png|jpeg|jpg|gif|webp)[;,])", re.IGNORECASE)
_SCRIPT = re.compile(
    r"(?:java|vb|live)script:|(?:\A|[;,'\"(])data:(?:(?!image/)|image/svg)", re.IGNORECASE
)
_BLANK = re.compile(r"[\x00-\x20\u00a0]")
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_SUSPECT = re.compile(
    r"[\\@]|//|url|src|image|element|expression|cross-fade|binding|behavi|script:", re.IGNORECASE
)
_ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6})\s?|([g-zG-Z@:/(]))")
_IMPORT = re.compile(r"@(?:import|namespace|charset)\b[^;]*(?:;|\Z)", re.IGNORECASE)
_URL = re.compile(r"""url\(\s*(?:"([^"]*)"|'([^']*)'|([^)]*))\s*(?:\)|\Z)""", re.IGNORECASE)
_LOADERS = re.compile(r"(?:image-set|image|src|expression|element|cross-fade)\(", re.IGNORECASE)
_BINDING = re.compile(r"(?:-moz-binding|behaviou?r)\s*:[^;}]*", re.IGNORECASE)
_ADDRESS = re.compile(r"""(["'])[^"'\n]*(?://|script:)[^"'\n]*\1""")


def is_local(link: str) -> bool:
    """Whether a link stays within the document: a fragment, or embedded pixels."""
    return bool(_LOCAL.match(link))


def is_script(value: str) -> bool:
    """Whether an attribute's value runs or loads something where a browser takes it as a link;
    blanks and control characters inside it do not hide it."""
    return ":" in value and bool(_SCRIPT.search(_BLANK.sub("", value)))


def clean_css(text: str) -> str:
    """The style sheet or declaration without anything that loads from elsewhere. Escapes of plain
    letters are resolved first, so that none can hide a word."""
    if not _SUSPECT.search(text):
        return text
    text = _ESCAPE.sub(_unescape, text)
    for pattern in (_COMMENT, _IMPORT, _BINDING):
        text = pattern.sub(" ", text)
    text = _URL.sub(_keep_local_url, text)
    text = _ADDRESS.sub(_keep_local_text, text)
    return _LOADERS.sub("none(", text)


def _unescape(found: re.Match[str]) -> str:
    if found[2]:
        return found[2]
    letter = chr(int(found[1], 16)) if int(found[1], 16) < 0x7F else ""
    return letter if letter.isalpha() or (letter and letter in "@:/(-") else found[0]


def _keep_local_text(found: re.Match[str]) -> str:
    return found[0] if is_local(found[0][1:-1]) else '""'


def _keep_local_url(found: re.Match[str]) -> str:
    link = next((text for text in found.groups() if text is not None), "").strip()
    return found[0] if is_local(link) else "none"
