"""What is wrong with a text that is no JSON or no YAML, in our words: those of the parsers are for
programmers. Imports nothing of ours.
"""

from __future__ import annotations

from typing import Any

_JSON = {
    "property name enclosed": "a key in double quotes must stand here",
    "expecting value": "a value must stand here",
    "':' delimiter": "“:” must stand here",
    "',' delimiter": "“,” must stand here",
    "extra data": "there is more behind its end",
    "control character": "a line break or tab inside a text is written \\n or \\t",
    "\\uxxxx": "\\u needs four hexadecimal digits",
    "\\escape": "\\ begins an escape: \\\\ is one backslash",
    "unterminated string": "a text begins here and has no end",
    "trailing comma": "nothing follows this comma",
    "utf-8 bom": "it begins with a byte order mark",
    "exceeds the limit": "a number has thousands of digits",
}
_YAML = {
    "mapping values are not allowed": "“:” stands where none can: indented unlike the lines above, "
    "or in a text that needs quotes",
    "cannot start any token": "a tab, or a text that begins with @, % or ` stands here: blanks "
    "indent, and such a text needs quotes",
    "could not find expected ':'": "“:” is missing behind a key",
    "escape": "in double quotes \\ begins an escape: \\\\ is one backslash",
    "hexdecimal": "in double quotes \\ begins an escape: \\\\ is one backslash",
    "',' or": "“,” or the closing bracket is missing",
    "end of stream": "a quote or bracket is opened and never closed",
    "document separator": "a quote is opened and never closed",
    "alphabetic or numeric": "a text that begins with *, & or ! needs quotes",
    "alias": "a text that begins with * needs quotes",
    "anchor": "a text that begins with & needs quotes",
    "second occurrence": "a name behind & stands twice",
    "the tag": "a text that begins with ! needs quotes",
    "tag handle": "a text that begins with ! needs quotes",
    "expected '!'": "a line that begins with % needs quotes",
    "sequence entries": "a list begins on a line of its own",
    "single document": "there is a second document behind a line ---",
    "another document": "there is a second document behind a line ---",
    "document start": "something stands behind its end",
    "characters are not allowed": "a control character stands in it",
    "unhashable": "a key is no text",
    "merging": "<< takes a mapping",
    "expected key": "the lines are not indented alike, or a text needs quotes",
    "block end": "the lines are not indented alike, or a text needs quotes",
    "'-' indicator": "the lines of this list are not indented alike",
    "node content": "a value must stand here",
    "chomping": "behind | and > the text begins on the next line",
    "comment or line break": "behind | and > the text begins on the next line",
    "must be in": "a date that no calendar has needs quotes",
    "out of range": "a date that no calendar has needs quotes",
    "invalid literal": "a number is none",
    "could not convert": "a number is none",
}


def json_fault(error: ValueError, *, place: bool = True) -> str:
    """What an error of a JSON parser says, with line and column where it knows them and ``place``
    is wanted; an error of our own as it is."""
    said = str(getattr(error, "msg", error))
    lower = said.lower()
    known = (ours for theirs, ours in _JSON.items() if theirs in lower)
    if not hasattr(error, "lineno"):
        return next(known, said)
    at: Any = error
    early = at.pos >= len(at.doc.rstrip()) and "expecting" in lower
    text = "it ends too early" if early else next(known, "it cannot be read")
    return f"line {at.lineno}, column {at.colno}: {text}" if place else text


def yaml_fault(error: Exception) -> str:
    """What an error of the YAML parser says, without its place."""
    said = str(getattr(error, "problem", None) or next(iter(str(error).splitlines()), ""))
    lower = said.lower()
    found = (ours for theirs, ours in _YAML.items() if theirs in lower)
    return next(found, "it cannot be read as YAML")
