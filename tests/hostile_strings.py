"""Strings that terminals, spreadsheets, shells and parsers obey or stumble over, made by rules.

``CONTROLS`` are for screens, ``FORMULAS`` for cells, ``COMMANDS`` for the logs of CI systems,
``ALL`` for every field of every format.
"""

from __future__ import annotations

import re
from itertools import product

_ESC, _BEL, _ST = "\x1b", "\x07", "\x1b\\"
_SEQUENCES = (  # introducer in seven and in eight bits, bodies, ends (ECMA-48)
    (("\x1b[", "\x9b"), ("2J", "1;31m", "?1049h", "6n", "999;999H", "3J", "20t"), ("",)),
    (("\x1b]", "\x9d"), ("0;owned", "2;owned", "8;;http://a.test/", "52;c;cm0gLXJm", "9;note",
                         "1337;File=:AAAA", "4;1;?"), (_BEL, _ST, "\x9c")),
    (("\x1bP", "\x90"), ("+q544e", "$qm", "q#0;2;0;0;0#0~~"), (_ST, "\x9c", "")),
    (("\x1b_", "\x9f", "\x1b^", "\x9e", "\x1bX", "\x98"), ("Ga=T", "x"), (_ST, "")),
    ((_ESC,), ("c", "7", "8", "M", "#8", "(0", "%G", "=", "N", ""), ("",)),
)  # fmt: skip
_FORMATS = "\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067" \
           "\u2068\u2069"  # fmt: skip

CONTROLS = (
    *(f"a{a}{body}{end}z" for heads, bodies, ends in _SEQUENCES
      for a, body, end in product(heads, bodies, ends)),
    *(f"a{chr(code)}z" for code in (*range(0x01, 0x20), *range(0x7F, 0xA0))),
    *(f"a{mark}z" for mark in _FORMATS),
    "100 %\rowned", "a\r\nHTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\n\r\n<b>", "photo\u202egpj.exe",
    "x\b\b\by", "\x1b[31", "\x1b]0;no end",
)  # fmt: skip
"""Each holds at least one character that no screen may get."""

FORMULAS = (
    *(f"{blank}{sign}{body}"
      for blank, sign, body in product(("", " ", "\u00a0", "\t", "\r", "\n", "\0"), "=+-@＝＋－＠",
                                       ("1+1", "cmd|' /C calc'!A0", 'HYPERLINK("http://a.test")'))),
    "=", "==1", "-", "+", "@SUM(A1)", "'=1+1", '"=1+1', "-12.5", "|cmd", "%0a=1+1",
)  # fmt: skip

BREAKS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
"""What one reader or another takes for the end of a line."""

COMMANDS = (
    "::error file=a.py,line=1::owned", "::stop-commands::x", " \t::add-mask::1", "\xa0::debug::x",
    "##[group]x", "##[error]", "a ##[add-mask]b", "##vso[task.setvariable variable=a]b",
    "##teamcity[buildStop comment='x']", "###[debug]x", "a\r::error::x", "a\n::error::x",
    "a\r\n  ::set-output name=a::b", "section_start:1700000000:x[collapsed=true]\r\x1b[0Kx",
)  # fmt: skip
"""What the runners of GitHub, Azure, TeamCity and GitLab would obey in a log."""


def commands_in(text: str) -> list[str]:
    """The lines of a log in which a runner would find a command: as GitHub's ``ActionCommand``
    looks for them, and GitLab's sections."""
    lines = re.split("\r\n|\r|\n", text)
    found = [line for line in lines if line.lstrip().startswith("::") and line.count("::") > 1]
    found += [line for line in lines if re.search(r"##\w*\[", line)]
    return found + re.findall(r"section_(?:start|end):\d+:[\w.-]*(?:\[\S*\])?\r\x1b\[0K", text)


_TEXTS = (
    "undefined", "null", "NULL", "None", "true", "false", "nil", "NaN", "Infinity", "-0",
    "1e400", "0x10", "1_000", "٣", "१", "½", "1,000.50", "1'000", "yes", "no", "on", "off", "~",
    "2003-13-45", "12:61", "0o17", "00012", "1.0", ".5", "<b>x</b>",
    "<script>alert(1)</script>", "<!-- -->", "<![CDATA[x]]>", "&lt;&amp;&#0;",
    "'; DROP TABLE image; --", '" OR 1=1', "$(id)", "`id`", "${HOME}", "%(x)s", "{0.__class__}",
    "{{7*7}}", "<%= 1 %>", "%s%n", "\\", "\\n", "\\u0000", '"', "'", '"""', "''", ",", ";", "|",
    "a,b", "a;b", "a|b", "a\tb", "a\nb", "a\r\nb", "\n", " ", "  x ", "#", "# x", "- a", "a: b",
    "[1, 2]", '{"a": 1}', "{", "[", "&anchor", "*alias", "!tag x", "%TAG", "---", "...", "|-",
    ">", "? a", "@x", "%", "%41", "../../etc/passwd", "C:\\x", "CON", "nul.txt",
    "file:///etc/passwd", "javascript:alert(1)", "data:,x", "//a.test",
    "http://a.test/?a=b&c=d#e", "田中さん", "مرحبا", "שלום", "ไทย", "한국어", "Ǆ", "ß",
    "İstanbul", "ﬁ", "Å", "A\u030a", "e\u0301", "Z\u0351\u036b\u0343\u032aa\u0345l\u0347go",
    "👩\u200d👩\u200d👧\u200d👦", "🏳️\u200d🌈", "🇨🇭", "\U0001f1e8", "𝒳", "\U0010ffff", "\ufffe",
    "\ue000", "\ufffd", "Ã¤", "â€™", "\ud83d", "a\udc00z", "x" * 5_000, "ä" * 300,
    "a" + "\u0300" * 60, "a\u200bz", "a\u2060z", "a\ufeffz", "a\u00adz",
)  # fmt: skip
_AROUND = ("", " ", "\u00a0", '"', "'", "\ufeff")

ALL = tuple(dict.fromkeys((
    *CONTROLS, *FORMULAS, *COMMANDS, *_TEXTS, *(f"p{mark}=1+1" for mark in BREAKS),
    *(f"{mark}{text}{mark}" for mark, text in product(_AROUND[1:], _TEXTS) if len(text) < 60),
)))  # fmt: skip
