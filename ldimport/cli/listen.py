"""``ldimport listen``: the receiving side of webhooks."""

from dataclasses import dataclass

from ldimport.cli.command import Command
from ldimport.cli.output import served
from ldimport.cli.run import clean_logs
from ldimport.cli.session import Session, tilde
from ldimport.errors import ConfigError, ExitCode, Terminated, UsageError, how_to_install
from ldimport.migration.inbox import Inbox
from ldimport.server.contract import (
    DEFAULT_HOST,
    LISTEN_PORT,
    HttpOptions,
    Listening,
    RequestAnswered,
    ServeEvent,
)
from ldimport.system import scarce
from ldimport.url import is_loopback

SECRET = "LDIMPORT_WEBHOOK_SECRET"  # noqa: S105  the name of a variable


def listen(
    session: Session, host: str = DEFAULT_HOST, port: int = LISTEN_PORT, unsigned: bool = False
) -> ExitCode:
    """Hear of ended jobs by webhook, so that `watch` and `submit` ask less often.

    Notifications are checked against the secrets in LDIMPORT_WEBHOOK_SECRET and kept beside the
    state file. What a run stores comes from the API alone.
    """
    secrets = tuple(session.environ.get(SECRET, "").split())
    place = f"[{host}]" if ":" in host else host
    if not (secrets or unsigned or is_loopback(f"http://{place}")):
        text = f"{host} may be reached from outside, and nothing says whose notifications are taken"
        hint = f"put the sender's secret into {SECRET}, or take what anybody sends: --unsigned"
        raise UsageError(text, hint=hint, code="no-webhook-secret")
    chosen = HttpOptions(
        host=host, port=port, secrets=secrets, body_limit=session.settings.max_body
    )
    try:
        from ldimport.server.listen import run_listener
    except ImportError as error:
        text = "ldimport listen needs the server parts"
        hint = how_to_install("server")
        raise scarce(error) or ConfigError(text, hint=hint, code="missing-extra") from error
    clean_logs()
    code, inbox = ExitCode.OK, Inbox(session.settings.state)
    with inbox.listening():
        try:
            run_listener(chosen, inbox.add, _ListenScreen(session, signed=bool(secrets)))
        except KeyboardInterrupt as end:
            code = ExitCode.OK if isinstance(end, Terminated) else ExitCode.INTERRUPTED
    if session.options.json:
        session.document({"type": "summary", "format": 1, "exitCode": int(code)})
    elif not session.options.quiet:
        served.stopped(session.notes, 0)
    return code


@dataclass
class _ListenScreen:
    """Shows what the listener tells: JSON Lines, or a banner and a line each."""

    session: Session
    signed: bool

    def __call__(self, event: ServeEvent) -> None:
        """One event; of requests only those that were refused, all with ``-v``."""
        session = self.session
        fine = isinstance(event, RequestAnswered) and event.status < 400
        if fine and not session.options.verbose:
            return
        if session.options.json:
            session.document(served.document(event, session.now()))
        elif not session.options.quiet:
            served.happened(session.notes, session.now(), event)
        if isinstance(event, Listening):
            self._begun(event)

    def _begun(self, event: Listening) -> None:
        session = self.session
        if session.chatty:
            session.screen.facts(
                {
                    "webhook": f"{event.url}/",
                    "taken": f"what is signed with {SECRET}" if self.signed else "anything",
                    "kept": f"{tilde(Inbox(session.settings.state).path)}",
                }
            )
            session.screen.blank()
        if not self.signed:
            text = f"no secret is set: notifications from anybody are taken ({SECRET} changes that)"
            session.notes.say("!", text)


COMMAND = Command(
    listen,
    (
        "LDIMPORT_WEBHOOK_SECRET=whsec_… ldimport listen",
        "ldimport listen --port 0 --json      for tests",
    ),
    {
        ExitCode.OK: "ended by SIGTERM",
        ExitCode.USAGE: "",
        ExitCode.CONFIG: "port taken, server parts not installed, secret too short",
        ExitCode.TEMPORARY: "",
        ExitCode.LOCKED: "somebody listens already",
        ExitCode.INTERRUPTED: "ended by Ctrl-C; nothing is lost",
    },
)
