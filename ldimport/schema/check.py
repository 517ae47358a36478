"""Every row against the API's rules and the project config: entries in, images and problems out."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from ldimport.causes import Cause
from ldimport.cells import Writing
from ldimport.errors import ManifestError
from ldimport.model import MAX_ID, MAX_NAME, Entry, Image, Json, Problem, Severity
from ldimport.mojibake import is_whole, visible
from ldimport.schema.addresses import MAX_URL, PLAIN, resolved, url_findings
from ldimport.schema.config import ProjectConfig
from ldimport.schema.findings import Finding, cut, listed, proposed, sample
from ldimport.schema.identity import Seen
from ldimport.schema.metadata import MetadataCheck
from ldimport.schema.nothing import Nothings
from ldimport.schema.values import text_advice, too_long
from ldimport.schema.words import Words

MOST_REASONS = 20
_MOST_SUGGESTED = 50
"""For so many missing files the name that was meant is looked for: it takes milliseconds each."""
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


class Checked(NamedTuple):
    """An entry and what came of it: ``image`` is None when it has an error."""

    entry: Entry
    image: Image | None
    problems: tuple[Problem, ...] = ()


def metadata_reasons(
    config: ProjectConfig, image: Image, *, lenient: bool = False, extracts: bool = False
) -> tuple[str, ...]:
    """Why the metadata of an image violates the config, in at most ``MOST_REASONS`` sentences; none
    when it does not. A required title is met by fileName; with ``lenient`` only the storage shape
    counts; ``extracts``: what the file may fill is not missed yet."""
    check = _metadata_check(config, image.media_type or config.default_media_type)
    if check is None:
        return (f"there is no media type “{image.media_type}”",)
    if check.is_plain(image.metadata):
        return ()
    metadata = {name: value for name, value in image.metadata.items() if value is not None}
    found = check.findings(metadata, has_title=bool(image.file_name), extracts=extracts)
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
    blanks around them, ``nothings`` words for nothing."""

    def __init__(
        self, config: ProjectConfig, options: CheckOptions | None = None, seen: Seen | None = None
    ) -> None:
        self.config = config
        self.options = options or CheckOptions()
        self.seen = seen or Seen()
        self.defaulted = False
        self.trimmed = 0
        self.nothings = Nothings()
        self.words = Words(config, self.options.writings)
        self._missing = 0
        self.checks: dict[str, MetadataCheck] = {}

    def passes(self, entry: Entry) -> bool:
        """Whether nothing is to be said about a row; only then its id is remembered."""
        return not self.words.translates and self._quick(entry) is not None

    def check(self, entry: Entry) -> Checked:
        """One row. Its problems have the entry's place: only those that are shown are located."""
        trimmed = self.trimmed
        entry = self._trimmed(self.words.translated(entry))
        if (quick := self._quick(entry)) is not None:
            handle, stored = quick
            return Checked(entry, Image(entry.id, entry.url, entry.file_name or "", stored, handle))
        if joined := _joined(entry):
            self.trimmed = trimmed
            entry = entry._replace(problems=())
            return Checked(entry, None, tuple(self._problems(entry, [("", joined)])))
        findings = [*self._identity(entry)]
        if any(not each.field for each in entry.problems):  # its cells are not where they belong
            return Checked(entry, None, tuple(self._problems(entry, findings)))
        self.nothings.look(entry)
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
        return entry._replace(id=id_, url=url) if trimmed else entry

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
        self.nothings.look(entry)
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
        suggest = self._missing < _MOST_SUGGESTED
        for each in url_findings(url, self.options.folder, suggest=suggest):
            self._missing += each.code == Cause.NO_SUCH_FILE.code
            yield "url", replace(each, value=each.value or sample(entry.url))
        if not entry.file_name:
            hint = "it becomes the title: fill it, or --map fileName=COLUMN, or --set fileName=…"
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
            word = f"--map-value mediaType:{cut(handle)}={self.config.default_media_type}"
            word = f"; a word of your own: {word}"
            hint = proposed(handle, known, "the project has: ") + (self._own_config or word)
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


def _joined(entry: Entry) -> Finding | None:
    """The finding about a row with which another file begins. Raises ManifestError where the rows
    behind it cannot be read by the header of the first one."""
    if not entry.textual:
        return None
    hint = "give the files one by one: ldimport validate one.csv two.csv"
    original = entry.original
    first = visible(str(next(iter(original.values()), "")))
    if first.startswith('{"'):
        told = "a line of JSON stands in a table: two files joined?"
        return Finding("joined-files", told, hint, value=first)
    if not (entry.id in original and entry.url in original) or entry.id == entry.url:
        return None
    if [visible(str(each)) for each in original.values()] == [*original]:
        told = "the header stands here once more: two files joined?"
        return Finding("joined-files", told, f"take this line away, or {hint}", value=entry.id)
    place = entry.place
    message = f"{place.file}:{place.line}: another header stands here, with columns of its own"
    raise ManifestError(f"{message}: two files joined?", hint=hint, code="joined-files")


def _met_before(text: str, where: str, *, exactly: bool) -> Finding:
    if exactly:
        told = f"id “{cut(text)}” is used twice, first in {where}"
        hint = "an id names one image for ever: the second row would overwrite the first"
        return Finding("duplicate-id", told, hint, value=text)
    told = f"id “{cut(text)}” differs from the one in {where} only in upper and lower case"
    hint = "both are kept; if they mean the same image, write them alike"
    return Finding("id-case", told, hint, Severity.WARNING, value=text)
