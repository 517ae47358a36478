"""``ldimport listen``: the receiving side of webhooks."""

from ldimport.cli.command import Command
from ldimport.cli.listening import ListeningScreen, ended, server_parts, until_ended
from ldimport.cli.run import clean_logs
from ldimport.cli.session import Session, tilde
from ldimport.errors import ExitCode, UsageError
from ldimport.migration.inbox import Inbox
from ldimport.server.contract import DEFAULT_HOST, LISTEN_PORT, HttpOptions, Listening
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
    with server_parts("listen"):
        from ldimport.server.listen import run_listener
    clean_logs()
    inbox = Inbox(session.settings.state)

    def begun(event: Listening) -> None:
        _begun(session, event, signed=bool(secrets))

    with inbox.listening():
        screen = ListeningScreen(session, begun)
        code = until_ended(lambda: run_listener(chosen, inbox.add, screen))
    ended(session, code)
    return code


def _begun(session: Session, event: Listening, *, signed: bool) -> None:
    if session.chatty:
        session.screen.facts(
            {
                "webhook": f"{event.url}/",
                "taken": f"what is signed with {SECRET}" if signed else "anything",
                "kept": f"{tilde(Inbox(session.settings.state).path)}",
            }
        )
        session.screen.blank()
    if not signed:
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
