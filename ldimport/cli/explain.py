"""``ldimport explain``: what became of an image, or what a code means."""

from ldimport.causes import Cause, KnownCause, is_code, known_cause, proposable
from ldimport.cli.command import Command
from ldimport.cli.output.documents import Document, fields_of
from ldimport.cli.output.screen import ACCENT, BUSY, OUTCOMES, STYLES, Screen
from ldimport.cli.output.summary import let_in
from ldimport.cli.output.text import clock, number, utc
from ldimport.cli.session import Session
from ldimport.errors import UsageError, did_you_mean
from ldimport.migration.explanations import CODES, OTHERS, Explanation
from ldimport.migration.model import Attempt, History
from ldimport.model import Status


def explain(session: Session, what: str) -> None:
    """Tell what became of an image, attempt by attempt, or what a code means: every one that a
    screen, a file or JSON shows."""
    with session.migration(write=False) as migration:
        found = migration.history(what)
        failed = is_code(what) and any(row.cause == what for row in migration.causes())
    meanings = [each[what] for each in (CODES, OTHERS) if what in each]
    cause = known_cause(what)
    if failed and cause is None:
        meanings.append(_FOREIGN)
    if not (found or meanings or cause):
        text = f"“{what}” is neither an image in the state file nor a code"
        codes = [*CODES, *OTHERS, *proposable()]
        hint = did_you_mean(what, codes, "ldimport results   lists all images", "causes")
        raise UsageError(text, hint=hint, code="unknown-id")
    if session.options.json:
        session.document(_document(what, found, meanings, cause))
        return
    screen = session.screen
    for each in found:
        _image(session, what, each)
    for n, meaning in enumerate(meanings):
        if n:
            screen.blank()
        _meaning(screen, what, meaning)
    if cause is not None:
        if meanings:
            screen.blank()
        _cause(screen, cause, failed=failed)


_FOREIGN = Explanation(
    "a cause of the target's own",
    "The target gave it; this version of ldimport does not know it.",
    ("ldimport results --failed   shows the reason of each image",),
)


def _meaning(screen: Screen, code: str, meaning: Explanation) -> None:
    screen.line((code, ACCENT), f"  {meaning.title}")
    screen.blank()
    screen.line(f"  {meaning.meaning}", indent=2)
    screen.blank()
    for way in meaning.fix:
        screen.line(f"  → {way}", indent=4)


def _image(session: Session, name: str, found: History) -> None:
    screen, status = session.screen, found.status
    if status is None:
        screen.line(name, ("  … in progress" if found.open else "  ⧗ not sent yet", BUSY))
    else:
        sign, word = OUTCOMES[status.value]
        times = f" after {len(found.attempts)} tries" if len(found.attempts) > 1 else ""
        screen.line((name, ACCENT), (f"  {sign} {word}{times}", STYLES[sign]))
    facts = {
        "archive": f"{found.label} · systemName {found.system_name}",
        "row": f"{number(found.row)} of {found.manifest}",
        "url": found.source_url or "",
    }
    if found.media_id:
        facts["media id"] = found.media_id
    for n, attempt in enumerate(found.attempts, 1):
        facts[f"try {n}"] = _attempt(session, attempt, found)
    screen.facts(facts)
    if status is Status.FAILED and found.retryable:
        again = f"ldimport retry --cause {found.cause}"
        screen.hints([(again, "send it, and those like it, again")])
    elif status is Status.FAILED and found.cause == Cause.ADDRESS_NOT_ALLOWED.code:
        screen.hints([let_in(found.source_url)] if session.settings.embedded else [])
    elif status is Status.FAILED:
        again = "ldimport results --failed --as-manifest -o failed.csv"
        screen.hints([(again, "to correct the row")])


def _attempt(session: Session, attempt: Attempt, found: History) -> str:
    at = ""
    if attempt.at is not None:
        at = clock(attempt.at, session.now()) if session.screen.width else utc(attempt.at)
    good = f"media id {found.media_id}"
    outcome = attempt.reason or ("failed" if attempt.status is Status.FAILED else good)
    return f"{at}  job {attempt.job_id}  {OUTCOMES[attempt.status.value][0]} {outcome}"


def _cause(screen: Screen, cause: KnownCause, *, failed: bool) -> None:
    """Why images failed, and, where some have ``failed`` for it, what can be done with them."""
    screen.line((cause.code, ACCENT), f"  {cause.meaning}", indent=2)
    screen.blank()
    screen.line(f"  → {cause.hint}", indent=4)
    screen.hints([] if not failed else [
        (f"ldimport retry --cause {cause.code}", "may work later, as it was sent")
        if cause.retryable
        else (f"ldimport results --cause {cause.code} --as-manifest -o failed.csv",
              "to correct the rows")
    ])  # fmt: skip


def _document(
    what: str, found: list[History], meanings: list[Explanation], cause: KnownCause | None
) -> Document:
    document: Document = {"format": 1, "images": [_history(what, each) for each in found]}
    for key, meaning in zip(("code", "error"), meanings, strict=False):
        document[key] = {"code": what, **fields_of(meaning)}
    if cause is not None:
        names = ("code", "meaning", "hint", "retryable", "parameters")
        document["cause"] = {name: getattr(cause, name) for name in names}
    return document


def _history(name: str, found: History) -> Document:
    attempts = [
        {**fields_of(each), "at": None if each.at is None else utc(each.at)}
        for each in found.attempts
    ]
    known = {"externalId": name, "target": found.label, "attempts": attempts}
    return {**fields_of(found, "label open"), **known}


COMMAND = Command(
    explain,
    ("ldimport explain 2003-04511", "ldimport explain duplicate-id", "ldimport explain origin-503"),
    {0: "explained", 2: "neither an image of the state file nor a code"},
    also=(4,),
)
