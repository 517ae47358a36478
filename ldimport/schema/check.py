"""Every row against the API's rules and the project config: entries in, images and problems out."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from urllib.parse import quote, urljoin

from ldimport.cells import Writing
from ldimport.errors import Rejected
from ldimport.model import MAX_ID, MAX_NAME, Entry, Image, Json, Problem, Severity
from ldimport.mojibake import is_whole
from ldimport.schema.config import ProjectConfig
from ldimport.schema.findings import Finding, cut, listed, proposed, sample
from ldimport.schema.identity import Seen
from ldimport.schema.values import MetadataCheck, text_advice, too_long
from ldimport.schema.words import Words
from ldimport.url import (
    MAX_LENGTH,
    PLAIN_PLACE,
    PORTS,
    holds_user,
    is_relative,
    locate_below,
    parse,
)

MAX_URL = MAX_LENGTH
_LIKELY = ("png", "jpg", "jpeg", "gif", "svg")
PLAIN = re.compile(
    rf"{PLAIN_PLACE}"
    r"/(?:[!$&-\-/-9;=_~A-Za-z]*+(?:%[0-9A-Fa-f]{2}[!$&-\-/-9;=_~A-Za-z]*+)*+\.)++"
    r"(?:jpe?g|JPE?G|png|PNG|gif|GIF|svg|SVG)"
)
"""URLs that nothing can be said about; most are so. At most ``MAX_URL`` characters."""
_HAS_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")
_ENDING = re.compile(r"\.([A-Za-z0-9]{1,8})$")
_AT_ANOTHER = re.compile(r"(?<![\s;,|])[\s;,|]++(?=https?://)", re.IGNORECASE)
_LONE_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")


def resolved(url: str, base_url: str | None) -> str:
    """The url as it is sent: a relative one from ``base_url``, if there is one. A path is written
    as files are named, so that ``%``, ``#`` and ``?`` are signs of a name like others; what
    addresses cannot hold is percent-encoded."""
    if base_url is None or not is_relative(url):
        return url
    base = base_url if base_url.endswith("/") else f"{base_url}/"
    return urljoin(base, quote(url, safe="/&=+,;:@!$'()*~"))


def url_findings(url: str, folder: Path | None) -> Iterator[Finding]:
    """Everything about a url; below ``folder``, if there is one, relative ones are files."""
    if not url:
        yield Finding("required", "url is empty", "every image needs an address")
    elif _scheme(url) in PORTS:
        yield from _address(url)
    elif folder is not None and is_relative(url):
        yield from _file(url, folder)
    else:
        yield _refused(url, folder)


def _address(url: str) -> Iterator[Finding]:
    if holds_user(url):
        hint = "serve the images without a password, or with signed addresses"
        yield Finding("url-userinfo", "url holds a user name or password", hint)
        return
    several = _AT_ANOTHER.split(url)
    if len(several) > 1:
        sure = all(_looks_like_an_image(each) for each in several)
        told = f"url holds {len(several)} addresses: “{cut(url)}”"
        yield Finding("several-addresses", told, "one row is one image: make a row of each",
                      Severity.ERROR if sure else Severity.WARNING)  # fmt: skip
        if sure:
            return
    try:
        parsed = parse(url)
        yield from _unencoded(url)
        yield from _ending(parsed.rest.partition("?")[0])
    except Rejected as rejected:
        hint = "write a blank in an address as %20" if re.search(r"\s", url) else ""
        why = rejected.reason.partition(": ")[2]
        yield Finding("not-a-url", f"url: “{cut(url)}”: {why}", hint)


def _looks_like_an_image(url: str) -> bool:
    found = _ENDING.search(re.split("[?#]", url, maxsplit=1)[0])
    return found is not None and found[1].lower() in _LIKELY


def _unencoded(url: str) -> Iterator[Finding]:
    """Signs that mean something in an address and probably stand for themselves, as in a name."""
    asked, sign, behind = url.partition("#")
    if sign and (_looks_like_an_image(behind) or not _ENDING.search(asked)):
        text = f"url: what stands behind the # is not asked for, only “{cut(asked, 80)}”"
        hint = f"if it belongs to the name: {url.replace('#', '%23')}"
        yield Finding("hash-in-url", text, hint, Severity.WARNING)
    if _LONE_PERCENT.search(url):
        text = f"url: a % encodes nothing in “{cut(url, 80)}”"
        hint = f"if it belongs to the name: {_LONE_PERCENT.sub('%25', url)}"
        yield Finding("lone-percent", text, hint, Severity.WARNING)


def _ending(path: str) -> Iterator[Finding]:
    found = _ENDING.search(path.rpartition("/")[2])
    if found and found[1].lower() not in _LIKELY and not found[1].isdigit():
        text = f"url ends in .{found[1]}: Livingdocs takes png, jpg, gif and svg"
        hint = "if the bytes are one of these all is well; they decide, not the name"
        yield Finding("unlikely-type", text, hint, Severity.WARNING)


def _file(url: str, folder: Path) -> Iterator[Finding]:
    try:
        locate_below(folder, url)
    except Rejected as rejected:
        hint, severity = "local images stand in the manifest's folder or below it", Severity.ERROR
        if rejected.code == "no-such-file":  # until then it may be there
            hint = "the row is sent, and fails unless the file is there by then"
            severity = Severity.WARNING
        yield Finding(rejected.code, f"url: {rejected.reason}", hint, severity)
    else:
        yield from _ending(url)


def _refused(url: str, folder: Path | None) -> Finding:
    scheme, shown = _scheme(url), f"url: “{cut(url)}”"
    if scheme == "data":
        hint = "write the image to a file and give its address"
        return Finding("data-url", "url is a data: URL, which the API does not take", hint)
    if scheme == "file" or url.startswith(("/", "\\")) or (len(scheme) == 1 and folder is not None):
        way = "write the path from the manifest's folder" if folder else "give an http address"
        return Finding("absolute-path", f"{shown} is a path on this machine", way)
    if not scheme and "\\" in url and is_relative(url.replace("\\", "/")):
        return Finding("not-a-url", f"{shown} holds a backslash", "write / instead of \\")
    if not scheme and folder is None and is_relative(url):
        hint = "--base-url https://… says where relative ones begin"
        return Finding("relative-url", f"{shown} is relative, and there is no base for it", hint)
    return Finding("not-a-url", f"{shown} is not an http or https address")


def _scheme(url: str) -> str:
    return url.partition(":")[0].lower() if _HAS_SCHEME.match(url) else ""


MOST_REASONS = 20
_PREFIX = "metadata."
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
AROUND = " \t\r\n\v\f\0\x85\xa0\xad\u1680\u180e\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(
    map(chr, (*range(0x2000, 0x2010), *range(0x2060, 0x2065)))
)
"""Blanks and signs of no width: nobody means them at the ends of an id or url."""
_DAMAGED = (
    r"(?:[-+]?\d+(?:[.,]\d+)?[eE][-+]?\d{1,3}|\d+\.0+|#[A-Z]+(?:/[0A])?[!?]?|\[object \w+\]"
    r"|(?i:null|none|nan|n/a|nil|undefined|\(null\)|<na>|#{2,}))"
)
is_damaged_id = re.compile(_DAMAGED).fullmatch
"""Matches what spreadsheets and programs make of ids: 1.23E+11, 123456.0, #REF!, NULL."""
is_plain_id = re.compile(rf"(?!{_DAMAGED}\Z)[!-~](?:[ -~]{{0,8190}}[!-~])?").fullmatch
"""Matches ids about which nothing can be said but that they may have been used before."""


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """How strictly, and how columns are written.

    ``lenient``: what Livingdocs only checks at publishing are warnings; ``strict``: warnings are
    errors. ``folder``: below it relative urls are local files; ``base_url``: from it they are
    resolved. ``writings``: field -> how its column is written; ``by_type``: the same for rows of
    one media type. ``common``: fields that are filled for every row, whatever its media type has.
    """

    lenient: bool = False
    strict: bool = False
    folder: Path | None = None
    base_url: str | None = None
    writings: Mapping[str, Writing] = field(default_factory=dict)
    by_type: Mapping[str, Mapping[str, Writing]] = field(default_factory=dict)
    common: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Checked:
    """An entry and what came of it: ``image`` is None when it has an error."""

    entry: Entry
    image: Image | None
    problems: tuple[Problem, ...] = ()


def metadata_reasons(
    config: ProjectConfig, image: Image, *, lenient: bool = False
) -> tuple[str, ...]:
    """Why the metadata of an image violates the config, in at most ``MOST_REASONS`` sentences; none
    when it does not. A required title is met by fileName; with ``lenient`` only the storage shape
    counts."""
    check = _metadata_check(config, image.media_type or config.default_media_type)
    if check is None:
        return (f"there is no media type “{image.media_type}”",)
    metadata = {name: value for name, value in image.metadata.items() if value is not None}
    found = check.findings(metadata, has_title=bool(image.file_name))
    said = (
        each.message
        for _, each in found
        if each.severity is Severity.ERROR and not (lenient and each.publishing)
    )
    return tuple(islice(said, MOST_REASONS))


@lru_cache(maxsize=64)
def _metadata_check(config: ProjectConfig, handle: str) -> MetadataCheck | None:
    media_type = config.media_types.get(handle)
    return None if media_type is None else MetadataCheck(config, media_type)


class Checker:
    """Checks the rows of one pass over a manifest; remembers their ids. ``defaulted``: some row
    named no media type and got the project's default. ``trimmed`` counts ids and urls that had
    blanks around them."""

    def __init__(self, config: ProjectConfig, options: CheckOptions | None = None) -> None:
        self.config = config
        self.options = options or CheckOptions()
        self.seen = Seen()
        self.defaulted = False
        self.trimmed = 0
        self.checks: dict[str, MetadataCheck] = {}
        self.words = Words(config, self.options.writings)

    def passes(self, entry: Entry) -> bool:
        """Whether nothing is to be said about a row; only then its id is remembered."""
        return not self.words.translates and self._quick(entry) is not None

    def check(self, entry: Entry) -> Checked:
        """One row. Its problems have the entry's place: only those that are shown are located."""
        entry = self._trimmed(self.words.translated(entry))
        if (quick := self._quick(entry)) is not None:
            handle, stored = quick
            return Checked(entry, Image(entry.id, entry.url, entry.file_name or "", stored, handle))
        findings = [*self._identity(entry)]
        if any(not each.field for each in entry.problems):  # its cells are not where they belong
            return Checked(entry, None, tuple(self._problems(entry, findings)))
        findings += self._plain(entry)
        handle = self._media_type(entry)
        metadata: Mapping[str, Json] = {}
        check = self.metadata_check(handle)
        if check is None:
            findings.append(("mediaType", self._no_type(handle)))
        else:
            metadata, bad = check.coerced(entry.metadata, textual=entry.textual)
            skip = frozenset(name for name, _ in bad)
            more = check.findings(metadata, has_title=bool(entry.file_name), skip=skip)
            findings += [(_PREFIX + name, each) for name, each in (*bad, *more)]
        problems = tuple(self._problems(entry, findings))
        image = None
        if not any(each.severity is Severity.ERROR for each in problems):
            url = resolved(entry.url, self.options.base_url)
            image = Image(entry.id, url, entry.file_name or "", metadata, handle)
        return Checked(entry, image, problems)

    def _trimmed(self, entry: Entry) -> Entry:
        """Without blanks, line breaks and signs of no width around id and url."""
        id_, url = entry.id.strip(AROUND), entry.url.strip(AROUND)
        trimmed = (id_ != entry.id) + (url != entry.url)
        self.trimmed += trimmed
        return replace(entry, id=id_, url=url) if trimmed else entry

    def metadata_check(self, handle: str) -> MetadataCheck | None:
        """The check of a media type's metadata; None when the project has no such type."""
        if (check := self.checks.get(handle)) is None and handle in self.config.media_types:
            media_type, options = self.config.media_types[handle], self.options
            writings = {**options.writings, **options.by_type.get(handle, {})}
            check = MetadataCheck(self.config, media_type, writings, options.common)
            self.checks[handle] = check
        return check

    def _quick(self, entry: Entry) -> tuple[str, dict[str, Json]] | None:
        """Media type and metadata of a row that is surely right: most are."""
        title, place = entry.file_name, entry.place
        if entry.problems or not title or len(title) > MAX_NAME or not is_plain_id(entry.id):
            return None
        if PLAIN.fullmatch(entry.url) is None or len(entry.url) > MAX_URL or not is_whole(title):
            return None
        handle = self._media_type(entry)
        if (check := self.metadata_check(handle)) is None:
            return None
        stored = check.quick(entry.metadata, textual=entry.textual)
        if stored is None or not self.seen.add_new(entry.id, place.file, place.line):
            return None
        return handle, stored

    def _media_type(self, entry: Entry) -> str:
        self.defaulted |= not entry.media_type
        return self.words.kind(entry.media_type)

    # -- one row ----------------------------------------------------------------------------

    def _identity(self, entry: Entry) -> Iterator[tuple[str, Finding]]:
        if not entry.id:
            if not entry.problems:
                hint = "every image needs an id of its own, for ever"
                yield "id", Finding("required", "id is empty", hint)
            return
        place = entry.place
        if met := self.seen.add(entry.id, place.file, place.line):
            where = f"line {met.line}" if met.file == place.file else f"{met.file}, line {met.line}"
            yield "id", _met_before(entry.id, where, exactly=met.exactly)
        yield from (("id", each) for each in id_advice(entry.id))

    def _plain(self, entry: Entry) -> Iterator[tuple[str, Finding]]:
        url = resolved(entry.url, self.options.base_url)
        for each in url_findings(url, self.options.folder):
            yield "url", replace(each, value=each.value or sample(entry.url))
        if not entry.file_name:
            hint = "it becomes the title: --map fileName=COLUMN, or --set fileName=…"
            yield "fileName", Finding("required", "fileName is empty", hint)
        elif len(entry.file_name) > MAX_NAME:
            yield "fileName", too_long("fileName", len(entry.file_name), MAX_NAME)
        else:
            yield from (("fileName", each) for each in text_advice("fileName", entry.file_name))

    def _no_type(self, handle: str) -> Finding:
        known = self.config.media_types
        if (stripped := handle.strip()) in known:
            text, hint = f"media type “{stripped}” has blanks at its ends", "take them away"
        elif handle in self.config.others:
            text, hint = f"media type “{handle}” is not for images", f"for images: {listed(known)}"
        else:
            text = f"there is no media type “{cut(handle)}”"
            hint = proposed(handle, known, "the project has: ") + self._own_config
        return Finding("unknown-media-type", text, hint, value=handle)

    @property
    def _own_config(self) -> str:
        return "; --project-config names your own" if self.config.is_default else ""

    def _problems(self, entry: Entry, findings: Iterable[tuple[str, Finding]]) -> Iterator[Problem]:
        for problem in entry.problems:
            yield self._judged(problem)
        for name, each in findings:
            hint = each.hint + (self._own_config if each.code == "unknown-property" else "")
            problem = Problem(
                each.severity, each.code, entry.place, name, each.message, hint, entry.id,
                sample(each.value), each.publishing,
            )  # fmt: skip
            yield self._judged(problem)

    def _judged(self, problem: Problem) -> Problem:
        severity = problem.severity
        if self.options.strict:
            severity = Severity.ERROR
        elif self.options.lenient and problem.publishing:
            severity = Severity.WARNING
        return problem if severity is problem.severity else replace(problem, severity=severity)


def id_advice(text: str) -> Iterator[Finding]:
    """What is odd, or wrong, about an id: it can never be changed."""
    if len(text) > MAX_ID:
        yield too_long("id", len(text), MAX_ID)
    if is_damaged_id(text):
        yield Finding("id-damaged", f"id “{cut(text)}” looks like what a program left of an id",
                      "it is for ever: export the ids as texts, before the first import",
                      Severity.WARNING, value=text)  # fmt: skip
    if _CONTROL.search(text):
        yield Finding("id-control", f"id “{cut(_CONTROL.sub('�', text))}” has invisible characters",
                      "take them away before the first import", Severity.WARNING)  # fmt: skip


def _met_before(text: str, where: str, *, exactly: bool) -> Finding:
    if exactly:
        told = f"id “{cut(text)}” is used twice, first in {where}"
        hint = "an id names one image for ever: the second row would overwrite the first"
        return Finding("duplicate-id", told, hint, value=text)
    told = f"id “{cut(text)}” differs from the one in {where} only in upper and lower case"
    hint = "both are kept; if they mean the same image, write them alike"
    return Finding("id-case", told, hint, Severity.WARNING, value=text)
