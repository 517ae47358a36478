"""Which characters of outside text others obey (terminals, logs of CI systems), and how files and
screens hold them so that they do not. Imports nothing heavy."""

import re

BREAK = "\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029"
"""What one reader or another takes for the end of a line; inside ``[]`` of an expression."""
HIDDEN = "\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
"""Control characters beyond ASCII's, and what reorders or hides text; likewise."""
MARK = r"##(?=\w{0,9}\[)"
"""Where in a line the runners of GitHub (``##[``) and Azure (``##vso[``) begin a command."""
_OBEYED = re.compile(rf"[{HIDDEN}\ud800-\udfff]|#(?=#\w{{0,9}}\[)")
_COMMAND = re.compile(rf"({MARK})|((?:\A|[\r\n])[^\S\r\n]*:)(?=:)")


def escaped(text: str, form: str = "\\u{:04x}") -> str:
    """JSON, YAML whose texts stand in double quotes, or XML (``form`` ``&#{};``) without a raw
    character that a terminal obeys, or mark that a CI system does; it means the same."""
    if text.isascii() and "##" not in text and "\x7f" not in text:
        return text
    return _OBEYED.sub(lambda found: form.format(ord(found[0])), text)


def spoken(text: str) -> str:
    """Lines for people in which no CI system finds a command: ``##[group]`` gets a blank, and so
    does ``::error::`` where GitHub's runner looks for it (``ActionCommand.cs``): at the beginning
    of a line, behind blanks."""
    return _COMMAND.sub(r"\g<0> ", text) if "::" in text or "##" in text else text
