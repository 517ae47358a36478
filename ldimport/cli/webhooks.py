"""``ldimport webhooks``: the notifications of a local engine."""

from collections.abc import Sequence

from ldimport.cli.archive import require_paths
from ldimport.cli.command import Command, Group
from ldimport.cli.output.documents import FORMAT, Document, fields_of
from ldimport.cli.output.screen import TableColumn, table
from ldimport.cli.session import Session
from ldimport.engine import outbox
from ldimport.engine.records import Delivery, OutboxEntry
from ldimport.errors import ExitCode, UsageError
from ldimport.wording import clock, counted, number, utc

MOST = 50


def list_(
    session: Session,
    failed: bool = False,
    waiting: bool = False,
    job: str | None = None,
    most: int = MOST,
) -> ExitCode:
    """List notifications of ended jobs: whom they go to, what became of them, the next try."""
    require_paths(session)
    states = [Delivery.FAILED, Delivery.DISABLED] if failed else []
    states += [Delivery.WAITING] if waiting else []
    found = outbox.notifications(session.settings.engine, states, job, most and most + 1)
    shown = found[: most or None]
    _show(session, shown)
    if session.options.json:
        return ExitCode.OK
    if len(found) > len(shown):
        everything = session.next_command("webhooks", "list", "-n", "0")
        session.notes.line(f"the newest {number(most)}; all of them: {everything}")
    if any(each.state in (Delivery.FAILED, Delivery.DISABLED) for each in shown):
        again = session.next_command("webhooks", "resend", "--failed")
        session.notes.hint(again, "sends them once more")
    return ExitCode.OK


def resend(session: Session, ids: list[str] | None = None, failed: bool = False) -> ExitCode:
    """Send notifications once more, under the same webhook-id; also those that had arrived.

    They are signed with the secrets in LDIMPORT_WEBHOOK_SECRET, as `serve` does.
    """
    require_paths(session)
    folder = session.settings.engine
    if not ids and not failed:
        hint = f"{session.next_command('webhooks', 'list')}   shows them; or --failed"
        raise UsageError("which notifications? Name their ids, or --failed", hint=hint)
    more = [each.id for each in outbox.given_up(folder)] if failed else []
    wanted = [*dict.fromkeys([*(ids or ()), *more])]
    secrets = session.environ.get("LDIMPORT_WEBHOOK_SECRET", "").split()
    if wanted and not secrets and session.chatty:
        session.notes.say("!", "not signed: LDIMPORT_WEBHOOK_SECRET is not set")
    sent = outbox.send_again(folder, wanted, secrets) if wanted else ()
    _show(session, sent)
    left = [each for each in sent if each.state is not Delivery.DELIVERED]
    if session.chatty:
        arrived = counted(len(sent) - len(left), "notification")
        rest = ""
        if waiting := sum(each.state is Delivery.WAITING for each in left):
            rest = f"; {number(waiting)} wait for the next try, by whatever works on this engine"
        session.notes.say("!" if left else "✓", f"{arrived} delivered{rest}")
    return ExitCode.FAILURES if left else ExitCode.OK


def _show(session: Session, found: Sequence[OutboxEntry]) -> None:
    if session.options.json:
        entries = [_document(each) for each in found]
        session.document({"format": FORMAT, "notifications": entries})
        return
    if not found and session.screen.stream.tty:
        session.screen.say("✓", "no notifications")
        return
    columns = (
        TableColumn("ID"),
        TableColumn("URL", shrink=True, drop=1),
        TableColumn("STATE"),
        TableColumn("TRIES", right=True),
        TableColumn("LAST ANSWER", shrink=True),
        TableColumn("NEXT OR END", drop=2),
    )
    table(session.screen, columns, [_row(session, each) for each in found])


def _row(session: Session, entry: OutboxEntry) -> Sequence[str]:
    at = entry.due_at if entry.ended_at is None else entry.ended_at
    moment = clock(at, session.now()) if session.screen.stream.tty else utc(at)
    answer = entry.answer or ""
    return entry.id, entry.url, entry.state, number(entry.tries), answer, moment


def _document(entry: OutboxEntry) -> Document:
    facts = fields_of(entry)
    waits = entry.state is Delivery.WAITING
    return {
        **facts,
        "createdAt": utc(entry.created_at),
        "dueAt": utc(entry.due_at) if waits else None,
        "endedAt": None if entry.ended_at is None else utc(entry.ended_at),
    }


_EXITS = {
    ExitCode.OK: "done",
    ExitCode.USAGE: "",
    ExitCode.CONFIG: "the folder is no engine's, or a secret is none",
}
COMMAND = Group(
    "webhooks",
    "Notifications of a local engine.",
    (
        Command(list_, ("ldimport webhooks list --failed",), _EXITS),
        Command(
            resend,
            ("ldimport webhooks resend --failed", "ldimport webhooks resend msg_25bzj8j"),
            {**_EXITS, ExitCode.FAILURES: "some did not arrive"},
            (ExitCode.TEMPORARY,),
        ),
    ),
)
