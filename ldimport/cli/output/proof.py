"""What a verification tells: as a screen, as JSON, and the differences as a file."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path

from ldimport.cells import csv_form, csv_line
from ldimport.cli.output.documents import FORMAT, Document, dumps, error, fields_of, redacted
from ldimport.cli.output.screen import TableColumn, table
from ldimport.cli.output.stream import Stream
from ldimport.cli.session import Session
from ldimport.errors import ExitCode, LdimportError, UsageError
from ldimport.files import STDOUT, NewFile
from ldimport.migration.proof import (
    LEVEL,
    Differences,
    Mismatch,
    Proof,
    Verified,
    VerifyProgress,
    upper_bound,
)
from ldimport.model import Json
from ldimport.wording import counted, duration, number, utc

FORMS = ("csv", "jsonl")
MOST_SHOWN = 10
MOST_IN_JSON = 1_000
FIRST_LINE = 10.0
KEYS = ("externalId", "systemName", "outcome", "field", "expected", "found", "mediaId", "sourceUrl",
        "row", "manifest")  # fmt: skip
_WORDS = {Proof.DIFFERS: "! differs", Proof.MISSING: "✗ missing"}


class LookProgress:
    """How far a verification is, how fast, and how long it will take."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._began = now()
        self._last: VerifyProgress | None = None

    def __call__(self, progress: VerifyProgress) -> None:
        """So far it is by now."""
        self._last = progress

    @property
    def text(self) -> str:
        """``Looking up  1,200 of 3,000 · 5.0/s · 6 min left``."""
        if self._last is None:
            return "Looking up"
        done, whole = self._last.done, self._last.whole
        text = f"Looking up  {number(done)} of {number(whole)}"
        seconds, asked = self._now() - self._began, done - self._last.resumed
        if seconds < FIRST_LINE or not asked:
            return text
        left = duration((whole - done) * seconds / asked)
        return f"{text} · {asked / seconds:.1f}/s · {left} left"


class LookLines:
    """The same as lines: after ten seconds the first, then one every so many."""

    def __init__(
        self, stream: Stream, told: LookProgress, now: Callable[[], float], every: float
    ) -> None:
        self._stream, self._told, self._now, self._every = stream, told, now, every
        self._next = now() + min(FIRST_LINE, every)

    def __call__(self, progress: VerifyProgress) -> None:
        """So far it is by now."""
        self._told(progress)
        now = self._now()
        if now >= self._next:
            self._next = now + self._every
            self._stream.line(f"{utc(now)} progress  {self._told.text}")


# -- the screen ----------------------------------------------------------------------------------


def show(session: Session, end: Verified, *, local: bool) -> None:
    """What was looked up, how many are there as sent, and what that says of the others."""
    screen, sums = session.screen, end.sums
    if not end.images:
        screen.say("·", _nothing(end))
        return
    names = f"systemName {end.system_names[0]}" if len(end.system_names) == 1 else (
        counted(len(end.system_names), "archive"))  # fmt: skip
    screen.line(f"{end.target} · {names} · {_what(end)}")
    screen.blank()
    differing = ", ".join(f"{name} {number(n)}" for name, n in list(end.fields.items())[:5])
    rows = [
        ("✓", "same", sums.same, ""),
        ("!", "differs", sums.differs, differing),
        ("✗", "missing", sums.missing, ""),
    ]
    if sums.unchecked:
        rows.append(("…", "not checked", sums.unchecked, "the picture could not be had for now"))
    screen.counts(rows, ("looked up", sums.checked + sums.unchecked))
    if end.pictures and sums.by_hash + sums.by_size:
        by = [f"{number(sums.by_hash)} by their digest"] if sums.by_hash else []
        by += [f"{number(sums.by_size)} by their decoded size"] if sums.by_size else []
        screen.line(f"  pictures compared: {', '.join(by)}")
    _findings(session, end)
    _verdict(session, end)
    _hints(session, end)


def _nothing(end: Verified) -> str:
    where = f" at {end.target}" if end.system_names else ""
    return f"Nothing to verify: no image should be{where or ' there'}"


def _what(end: Verified) -> str:
    images = counted(end.images, "image")
    if end.sample is None or end.whole >= end.images:
        return f"all {images}" if end.images > 1 else images
    return f"{number(end.whole)} of {number(end.images)}, chosen at random (seed {end.seed})"


def _findings(session: Session, end: Verified) -> None:
    if not end.first:
        return
    columns = (
        TableColumn("OUTCOME"), TableColumn("ID"), TableColumn("ROW", right=True, drop=2),
        TableColumn("WHAT", shrink=True),
    )  # fmt: skip
    shown = end.first[:MOST_SHOWN]
    rows = [
        (_WORDS[each.outcome], each.external_id, number(each.row), _told(each)) for each in shown
    ]
    session.screen.blank()
    table(session.screen, columns, rows)
    if (more := end.sums.differs + end.sums.missing - len(shown)) > 0:
        session.screen.line(f"and {number(more)} more")


def _told(each: Mismatch) -> str:
    if each.outcome is Proof.MISSING:
        return f"not in the media library: {each.source_url}"
    return "; ".join(sentence(*told) for told in each.differences.items())


def sentence(name: str, told: tuple[Json, Json]) -> str:
    """One difference in words: ``width 6000, was 8256``."""
    expected, found = told
    if name == "picture" and expected is None:
        return f"picture: {found}"
    if expected is None:
        return f"{name} is {'gone' if found is None else found}, not as it was sent"
    return f"{name} {found}, was {expected}"


def _verdict(session: Session, end: Verified) -> None:
    sums, screen = end.sums, session.screen
    if not sums.checked:
        return
    screen.blank()
    took = f"   {duration(end.seconds)}"
    if end.resumed:
        took += f" · {number(end.resumed)} were looked up before"
    if end.stopped is not None or sums.unchecked:
        left = end.whole - sums.checked
        screen.say("■", f"{number(sums.checked)} looked up, {number(left)} are left{took}")
        return
    bad = sums.differs + sums.missing
    sign = "✗" if bad else "✓"
    if end.partial:
        most = percent_up(upper_bound(sums.missing, sums.checked))
        screen.say(sign, f"at most {most} missing, with {LEVEL * 100:.0f} % confidence{took}")
    elif bad:
        of = counted(sums.checked, "image")
        screen.say(sign, f"{number(bad)} of {of} are not at the target as they were sent{took}")
    else:
        there = "the image is" if sums.same == 1 else f"all {number(sums.same)} images are"
        screen.say(sign, f"{there} at the target as sent{took}")


def percent_up(share: float) -> str:
    """A bound, never rounded down: ``0.1 %``."""
    digits = next((n for n in (1, 2, 3) if share * 100 * 10**n >= 1), 4)
    steps = math.ceil(round(share * 100 * 10**digits, 6))
    return f"{steps / 10**digits:.{digits}f} %"


def _manifest(end: Verified) -> str:
    """What the images came from, where it is one."""
    names = {each.manifest for each in end.first} - {""}
    return names.pop() if len(names) == 1 else "MANIFEST"


def _hints(session: Session, end: Verified) -> None:
    hints = []
    if end.stopped is not None or end.sums.unchecked:
        hints.append((session.next_command(*session.words), "goes on where it stopped"))
    if end.marked:
        many = counted(end.marked, "image")
        hints.append((session.next_command("submit", _manifest(end)), f"sends {many} again"))
    elif end.sums.missing:
        again = session.next_command("verify", "--mark-missing")
        hints.append((again, "asks for them once more; what is still missing counts as not sent"))
    if len(end.first) > MOST_SHOWN:
        more = session.next_command("verify", "-o", "differences.csv")
        hints.append((more, "every difference as a file"))
    if end.sums.differs:
        again = session.next_command("submit", _manifest(end), "--resend")
        hints.append((again, "sends all of it again, unchanged rows too"))
    session.screen.hints(hints)


# -- for scripts ---------------------------------------------------------------------------------


def document(end: Verified, code: ExitCode) -> Document:
    """The whole verification, with the first findings."""
    sums = end.sums
    about = "sums fields first findings stopped seconds target system_names"
    found: Document = {
        "format": FORMAT,
        "target": end.target,
        "systemNames": list(end.system_names),
        **fields_of(end, about),
        **fields_of(sums),
        "checked": sums.checked,
        "confidence": None if not end.partial or not sums.checked else {
            "level": LEVEL,
            "missingAtMost": upper_bound(sums.missing, sums.checked),
            "wrongAtMost": upper_bound(sums.differs + sums.missing, sums.checked),
        },
        "fields": dict(end.fields),
        "findings": [_finding(each) for each in end.first[:MOST_IN_JSON]],
        "findingsShown": min(len(end.first), MOST_IN_JSON),
        "seconds": round(end.seconds, 3),
    }  # fmt: skip
    if isinstance(end.stopped, LdimportError):
        told = error(end.stopped)
        found["stopped"] = {key: told[key] for key in ("code", "message", "hint")}
    elif end.stopped is not None:
        hint = "run the same command again to go on"
        found["stopped"] = {"code": code.word, "message": code.word, "hint": hint}
    return {**found, "exitCode": int(code)}


def _finding(each: Mismatch) -> Document:
    return {**fields_of(each), "differences": _listed(each.differences)}


def _listed(differences: Differences) -> list[Document]:
    return [
        {"field": name, "expected": expected, "found": found}
        for name, (expected, found) in differences.items()
    ]


def form_of(output: Path | None) -> str:
    """The format of the file with differences, by its ending. Raises UsageError."""
    if output is None or str(output) == STDOUT:
        return "csv"
    ending = output.suffix.lower().removeprefix(".")
    if ending not in FORMS:
        hint = "use .csv or .jsonl"
        raise UsageError(f"-o {output}: the ending says no format", hint=hint, code="format")
    return ending


def write(
    path: Path, form: str, findings: Iterable[Mismatch], *, redact: bool, excel: bool
) -> None:
    """Every finding: as JSON Lines, or as CSV with a line for each field that differs."""
    written = csv_form(path, excel=excel and form == "csv")
    with NewFile(path, written.encoding) as file:
        if form == "csv":
            file.write(csv_line(KEYS, written.delimiter, end="\n"))
        for each in findings:
            told: Document = _finding(each)
            told = redacted(told) if redact else told
            if form == "jsonl":
                file.write(f"{dumps(told, exact=True)}\n")
                continue
            for part in told["differences"] or [{}]:
                row = {**told, **part}
                file.write(csv_line([row.get(key) for key in KEYS], written.delimiter, end="\n"))
