"""What a file is: its encoding (marks first, then UTF-8, then statistics on a sample), its format
by content (the name is a hint), and the dialect of a CSV."""

import codecs
import json
import re
import tomllib
from importlib import resources
from pathlib import PurePath

import orjson
from charset_normalizer import from_bytes

from ldimport.errors import ManifestError, UsageError
from ldimport.manifest.dialect import DELIMITERS, SEP_LINE, detect_dialect
from ldimport.manifest.fields import FieldMap, field_of
from ldimport.manifest.kinds import Detected, ManifestFormat, ReadOptions
from ldimport.manifest.roots import lists_in
from ldimport.manifest.streams import CHUNK, buffered, undecodable
from ldimport.model import Json

SAMPLE = 1 << 18
_PREAMBLE = 1 << 14
_PACKED = (".gz", ".zst")
_TABLE = tomllib.loads(resources.files("ldimport.manifest").joinpath("formats.toml").read_text())
_FORMATS = {each: ManifestFormat(kind) for kind, all_ in _TABLE["endings"].items() for each in all_}
_NOT_TEXT = [(start.encode("latin-1"), what) for start, what in _TABLE["begins"]]
_CONTROLS = bytes([*range(9), *range(14, 27), *range(28, 32), 127])
_FEW_CONTROLS = 200
"""So many do not make a file binary: they are problems of their fields."""
_YAML_START = re.compile(r"(?m)^(%YAML|---|- |-$|[\w\"']+:(\s|$))")
_COMMENTS = re.compile(r"(?:\s*(?://[^\n]*\n|#[^\n]*\n|/\*.*?\*/))*", re.DOTALL)
_OBJECTS = re.compile(r'\s*(\[\s*[\[{\]"]|\{\s*["}])')

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: its mark begins with the same two bytes
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CANDIDATES = ["cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "mac_roman", "cp850", "shift_jis",
               "gb18030", "big5", "euc_kr"]  # fmt: skip
_STATISTICS_BYTES = 1 << 16
_WESTERN_LETTERS = frozenset("äöüÄÖÜßéèêëàâçîïôûùœæåáíóúñÉÈÊÀÂÇÎÔÁÍÓÚÑÅ")
"""Letters that stand at the places of rarer ones in the encodings of Central Europe are left out:
a text that has them is judged by statistics."""
_WESTERN_SIGNS = frozenset("«»„“”‚‘’‹›–—…•·€£§°©®™²³½¼¾±×¡¿ªº\xa0\xad")
_SIGN_IN_WORD = re.compile(r"[A-Za-z][«»„“”‚‘‹›…•€£§©®™²³½¼¾±×¡¿ªº][a-z]")
_WORD = re.compile(r"[^\W\d_]+")


def named_format(path: str) -> ManifestFormat | None:
    """The format a file's name promises, behind ``.gz`` and ``.zst``."""
    pure = PurePath(path)
    if pure.suffix.lower() in _PACKED:
        pure = pure.with_suffix("")
    return _FORMATS.get(pure.suffix.lower())


def sniff(path: str, name: str, options: ReadOptions) -> Detected:
    """Look at the beginning of a file. ``path`` is read, ``name`` is what people know. Raises
    ManifestError when it is empty or no text, or not in the encoding prescribed."""
    with buffered(path, name) as stream:
        head = stream.read(SAMPLE)
    if what := next((what for magic, what in _NOT_TEXT if head.startswith(magic)), None):
        raise _no_manifest(f"{name} is not a manifest, but {what}")
    given = options.encoding
    encoding = _prescribed(given, head) if given else _detect_encoding(head, path, name)
    try:
        text = codecs.getincrementaldecoder(encoding)("replace").decode(head).lstrip("\ufeff")
    except UnicodeError as error:  # UTF-16 and UTF-32 without a byte order mark
        raise undecodable(path, name, encoding) from error
    if not text.strip():
        raise ManifestError(f"{name} is empty", hint="is it the right file?", code="empty")
    controls = sum(map(text.count, map(chr, _CONTROLS)))
    if controls > max(_FEW_CONTROLS, len(text) * 0.1):
        raise _no_manifest(f"{name} is not a text file")
    format_ = _format(text, named_format(name), options)
    if format_ is not ManifestFormat.JSONL or not encoding.startswith("utf-8"):
        try:  # a wrong byte spoils any file but JSON Lines, where it spoils its line
            codecs.getincrementaldecoder(encoding)().decode(head)
        except UnicodeDecodeError as error:
            raise undecodable(path, name, encoding) from error
    if format_ is not ManifestFormat.CSV:
        return Detected(format_, encoding)
    _refuse_preamble(text, name, options.columns)
    dialect = detect_dialect(text, options.delimiter, options.columns, len(head) == SAMPLE)
    return Detected(format_, encoding, dialect)


def _no_manifest(message: str) -> ManifestError:
    hint = "a manifest is CSV, JSON, JSON Lines or YAML"
    return ManifestError(message, hint=hint, code="not-a-manifest")


def _refuse_preamble(text: str, name: str, mapping: FieldMap) -> None:
    """Spreadsheets often have a title above the header; it is found, and named, not skipped."""
    lines = text[:_PREAMBLE].splitlines()
    first = next((n for n, line in enumerate(lines) if line.strip(DELIMITERS + " ")), 0)
    if mapping.columns or SEP_LINE.match(text) or _known(lines[first]):
        return
    for number, line in enumerate(lines[first + 1 : first + 30], first + 2):
        if _known(line) >= {"id", "url"}:
            message = f"{name}:{number}: the header stands here, and other lines above it"
            hint = "delete what stands above the header"
            raise ManifestError(message, hint=hint, code="no-column")


def _known(line: str) -> set[str | None]:
    """Fields that a line would name if it were a header."""
    cells = {field_of(cell.strip(" \"'")) for cell in re.split(f"[{DELIMITERS}]", line)}
    return cells - {None}


def _format(text: str, named: ManifestFormat | None, options: ReadOptions) -> ManifestFormat:
    """By content where it is plain, else by name, else a guess."""
    if options.delimiter:
        return ManifestFormat.CSV
    json_named = named in (ManifestFormat.JSON, ManifestFormat.JSONL)
    if _OBJECTS.match(text):
        if named is ManifestFormat.YAML and _is_flow_yaml(text):
            return named
        return ManifestFormat.JSONL if _is_lines(text, named) else ManifestFormat.JSON
    body = _COMMENTS.sub("", text, count=1).lstrip()
    commented = named is not ManifestFormat.YAML and _OBJECTS.match(body)
    if commented or (json_named and body[:1] in ("[", "{", '"')):
        return ManifestFormat.JSON  # its reader says what is wrong with it
    start = _YAML_START.match(body)
    if start and (named is not ManifestFormat.CSV or _is_yaml_entry(start[0])):
        return ManifestFormat.YAML
    return named if named is not None and not _is_tabular(body) else ManifestFormat.CSV


def _is_tabular(text: str) -> bool:
    """Whether the first line names fields, or has as many delimiters of a kind as the second."""
    first, second, *_ = [*text.splitlines()[:2], "", ""]
    alike = any(0 < first.count(sign) == second.count(sign) for sign in DELIMITERS)
    return alike or len(_known(first)) > 1


def _is_flow_yaml(text: str) -> bool:
    """Whether this is YAML that only begins as JSON does: ``[{id: 1}]``."""
    if _is_lines(text, None):
        return False
    try:
        json.JSONDecoder().raw_decode(text.lstrip())
    except (json.JSONDecodeError, RecursionError):
        return len(text.encode()) < SAMPLE or not re.match(r'\s*\[?\s*\{\s*"', text)
    return False


def _is_yaml_entry(start: str) -> bool:
    """Whether what looks like the beginning of YAML is no text in a table."""
    return start[0] in "%-" or field_of(start.strip(" \"':\n\r")) is not None


def _is_lines(text: str, named: ManifestFormat | None) -> bool:
    """Whether the first line is a whole object or, by the file's name, was meant to be one, and
    more follows; a single line is a document unless the name says otherwise."""
    first, _, rest = text.strip().partition("\n")
    if not first.startswith("{"):
        return False
    found = _object(first)
    if not rest or "images" in found:
        return named is not ManifestFormat.JSON and not _is_wrapper(found)
    meant = named is ManifestFormat.JSONL and first.rstrip(" \r,").endswith("}")
    return meant or bool(found)


def _is_wrapper(found: dict[str, Json]) -> bool:
    """Whether an object is no image, but may hold them."""
    return "images" in found or bool(
        lists_in(found) and not {"id", "url"} & {*map(field_of, found)}
    )


def _object(text: str) -> dict[str, Json]:
    """The object in a text; empty where there is none."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


# -- encodings ------------------------------------------------------------------------------


def _prescribed(encoding: str, head: bytes) -> str:
    """The encoding a user named, as Python spells it; with a byte order mark where ``head`` has
    one. Raises UsageError for an unknown one."""
    try:
        info = codecs.lookup(encoding)
        "probe".encode(encoding)  # a codec such as base64 is no text encoding
    except (LookupError, ValueError) as error:
        hint = "for example: utf-8, cp1252, utf-16, mac_roman"
        message = f"there is no encoding “{encoding}”"
        raise UsageError(message, hint=hint, code="encoding") from error
    if info.name == "utf-16" and not head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _wide(head) or info.name
    marked = info.name == "utf-8" and head.startswith(codecs.BOM_UTF8)
    return "utf-8-sig" if marked else info.name


def _detect_encoding(head: bytes, path: str, name: str) -> str:
    """Find it out. Only while a file is pure ASCII does this look further than ``head``: what
    comes first beyond ASCII decides."""
    marked = next((encoding for mark, encoding in _MARKS if head.startswith(mark)), None)
    if found := marked or _wide(head):
        return found
    sample = head if not head.isascii() else _beyond_ascii(path, name)
    return "utf-8" if _mostly_utf8(sample) else _by_statistics(sample)


def _wide(head: bytes) -> str | None:
    """UTF-16 without a mark: text of the West has a NUL in every second byte."""
    even, odd = head[0::2], head[1::2]
    for encoding, high, low in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        zeros = high.count(0) > len(high) * 0.4 and low.count(0) < len(low) * 0.1
        if len(head) >= 4 and zeros:
            return encoding
    return None


def _beyond_ascii(path: str, name: str) -> bytes:
    """The first chunk that is not ASCII, or none. Testing for ASCII costs next to nothing."""
    with buffered(path, name) as stream:
        stream.read(SAMPLE)
        while (chunk := stream.read(CHUNK)) and chunk.isascii():
            pass
    return chunk


def _mostly_utf8(sample: bytes) -> bool:
    """Whether it is UTF-8, perhaps with damage. What is not UTF-8 has hardly ever a character
    that looks like it, so a few wrong bytes among right ones are to be reported, not followed."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    text = decoder.decode(sample)  # may end inside a character
    beyond_ascii = [char for char in text if not char.isascii()]
    wrong = sum("\udc80" <= char <= "\udcff" for char in beyond_ascii)
    return wrong <= len(beyond_ascii) - wrong


def _plainly_western(text: str) -> bool:
    """Whether a text read as Windows-1252 makes sense: only letters of German, French, Italian and
    Spanish and the usual punctuation, letters inside words, and words that are not made of such
    letters alone. Statistics go wrong on a few lines; this does not, since other encodings put
    signs into the middle of words, and other scripts whole words of such letters."""
    beyond = {char for char in text if not char.isascii()}
    if not beyond <= _WESTERN_LETTERS | _WESTERN_SIGNS or _SIGN_IN_WORD.search(text):
        return False
    words = "".join(word for word in _WORD.findall(text) if not word.isascii())
    return sum(char in _WESTERN_LETTERS for char in words) * 5 <= len(words) * 4


def _by_statistics(sample: bytes) -> str:
    """The best guess; where Windows-1252 is as good as another, it is Windows-1252."""
    lines = sample.replace(b"\r", b"\n").split(b"\n")
    telling = b"\n".join(line for line in lines if not line.isascii())[:_STATISTICS_BYTES]
    fallback = "cp1252"
    try:
        if _plainly_western(telling.decode("cp1252")):
            return "cp1252"
    except UnicodeDecodeError:
        fallback = "latin-1"
    matches = from_bytes(telling, cp_isolation=_CANDIDATES)
    if (best := matches.best()) is None:
        return fallback
    equal = (m for m in matches if (m.chaos, m.coherence) == (best.chaos, best.coherence))
    western = any("cp1252" in match.could_be_from_charset for match in equal)
    return "cp1252" if western else best.encoding
