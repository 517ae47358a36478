"""What became of an image, in the order of time: on a screen and as a document."""

from __future__ import annotations

from collections.abc import Iterator

from ldimport.cli.output.documents import Document, fields_of
from ldimport.cli.output.proof import sentence
from ldimport.cli.output.screen import ACCENT, BUSY, OUTCOMES, QUIET, STYLES
from ldimport.cli.output.summary import way_out
from ldimport.cli.session import Session
from ldimport.migration.causes import meaning_of
from ldimport.migration.model import ArchiveName
from ldimport.migration.proof import Proof
from ldimport.migration.story import History, Step, StepKind
from ldimport.model import Status
from ldimport.targets.base import LOCAL
from ldimport.wording import clock, counted, number, size, utc

TO_CORRECT = ("--failed", "--as-manifest", "-o", "failed.csv")
MOST_UNCERTAIN = 3
"""Steps shown of batches of which it is not kept whether they held the image; the newest ones."""
_PROOFS = {Proof.SAME: "✓ at the target as sent", Proof.DIFFERS: "! at the target, but differs",
           Proof.MISSING: "✗ not in the media library"}  # fmt: skip


def show(session: Session, name: str, found: History) -> None:
    """One image of one archive: how it stands, what happened, what to do."""
    screen, status, now = session.screen, found.status, found.now
    of = ArchiveName(found.target, found.system_name)
    if status is None:
        screen.line(name, ("  … in progress" if found.open else "  ⧗ not sent yet", BUSY))
    else:
        sign, word = OUTCOMES[status.value]
        times = f" after {len(found.attempts)} tries" if len(found.attempts) > 1 else ""
        waived = " · waived" if now.waived_at is not None else ""
        screen.line((name, ACCENT), (f"  {sign} {word}{times}{waived}", STYLES[sign]))
    addresses = {"now at": now.url} if now.url else {}
    facts = _facts(found)
    left = max(map(len, (*facts, *addresses)))
    screen.facts({f"{name:<{left}}": text for name, text in facts.items()})
    for name, url in addresses.items():  # to copy: it stays whole
        screen.verbatim("  ", (f"{name:<{left}}", QUIET), "  ", url)
    lines = [*_lines(session, found)]
    if lines:
        screen.blank()
        left = max(len(at) for at, _ in lines)
        for at, text in lines:
            screen.line(f"  {at:<{left}}  {text}", indent=left + 4)
    _what_next(session, name, found, of)


def _facts(found: History) -> dict[str, str]:
    now = found.now
    facts = {
        "archive": f"{found.label} · systemName {found.system_name}",
        "row": number(found.row) + (f" of {found.manifest}" if found.manifest else ""),
        "url": found.source_url or "",
    }
    if found.media_id:
        sides = [f"{now.width}×{now.height}"] if now.width and now.height else []
        more = [*sides, *([now.mime_type] if now.mime_type else []),
                *([size(now.size)] if now.size is not None else [])]  # fmt: skip
        facts["media id"] = " · ".join((found.media_id, *more))
    if found.status is Status.FAILED and found.cause:
        facts["cause"] = f"{found.cause}: {meaning_of(found.cause, None)}"
    if now.waived_because is not None:
        facts["waived"] = now.waived_because
    return facts


def _lines(session: Session, found: History) -> Iterator[tuple[str, str]]:
    """Time and text of each step; an acceptance at once stands with its batch."""
    unsure = [step for step in found.steps if not step.certain and step.kind in _UNSURE]
    hidden = len(unsure) - MOST_UNCERTAIN
    shown = unsure[max(0, hidden) :]
    if hidden > 0:
        batches = counted(hidden, "more batch", "more batches")
        yield "", f"{batches} that may have held it, not accepted: --json has all"
    for step in found.steps:
        if step.certain or step in shown:
            yield _at(session, step), _text(step, found)


_UNSURE = (StepKind.REFUSED, StepKind.LOST, StepKind.JOB_FAILED)


def _at(session: Session, step: Step) -> str:
    if step.at is None:
        return ""
    return clock(step.at, session.now()) if session.screen.width else utc(step.at)


def _text(step: Step, found: History) -> str:
    job, reason = f"job {step.job_id}", f": {step.reason}" if step.reason else ""
    first, last = step.rows or (0, 0)
    rows = f"rows {number(first)} to {number(last)} of {step.manifest}"
    maybe = "" if step.certain else ", which may have held it"
    code = f" ({step.cause})" if step.cause else ""
    match step.kind:
        case StepKind.RECORDED:
            return f"batch of {rows} written down"
        case StepKind.ACCEPTED:
            return f"accepted as {job}"
        case StepKind.REFUSED:
            return f"✗ batch of {rows}{maybe}, refused{reason}{code}"
        case StepKind.LOST:
            return f"✗ {job} is lost{maybe}: the target does not know it any more"
        case StepKind.JOB_FAILED:
            return f"✗ {job} failed as a whole{maybe}"
        case StepKind.WAIVED:
            return f"· failure accepted{reason}"
        case StepKind.VERIFIED:
            told = "; ".join(sentence(*each) for each in found.now.differences.items())
            return _PROOFS[Proof(step.reason or "")] + (f": {told}" if told else "")
    sign, word = OUTCOMES[step.kind.value]
    if step.not_taken_over:
        word += ", its change was not taken over"
    return f"{job}  {sign} {word}{reason}{code}"


def _what_next(session: Session, name: str, found: History, of: ArchiveName) -> None:
    screen, status = session.screen, found.status
    if found.now.waived_at is not None:
        again = session.next_command("waive", name, "--undo", of=of)
        screen.hints([(again, "lets it count as failed again")])
    elif status is Status.FAILED and found.retryable:
        again = session.next_command("retry", "--cause", found.cause or "", of=of)
        screen.hints([(again, "send it, and those like it, again")])
    elif found.label == LOCAL and (way := way_out(found.cause or "", found.source_url)):
        words, why = way
        screen.hints([(session.next_command(*words, of=of), why)])
    elif status is Status.FAILED:
        again = session.next_command("results", *TO_CORRECT, of=of)
        screen.hints([(again, "to correct the row")])


def document(name: str, found: History) -> Document:
    """The same for scripts."""
    attempts = [
        {**fields_of(each), "at": None if each.at is None else utc(each.at)}
        for each in found.attempts
    ]
    now = found.now
    asset = fields_of(
        now, "waived_at waived_because tries verified_at outcome differences original"
    )
    return {
        **fields_of(found, "label target open steps now"),
        "externalId": name,
        "target": found.label,
        "attempts": attempts,
        "open": found.open,
        "tries": now.tries,
        "waived": None if now.waived_at is None else {
            "at": utc(now.waived_at), "reason": now.waived_because,
        },
        "verified": None if now.verified_at is None else {
            "at": utc(now.verified_at),
            "outcome": now.outcome,
            "differences": [
                {"field": field, "expected": expected, "found": there}
                for field, (expected, there) in now.differences.items()
            ],
        },
        "asset": {"mediaId": found.media_id, **asset} if found.media_id else None,
        "original": None if now.original is None else dict(now.original),
        "steps": [
            {**fields_of(step), "at": None if step.at is None else utc(step.at)}
            for step in found.steps
        ],
    }  # fmt: skip
