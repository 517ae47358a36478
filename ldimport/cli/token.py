"""``ldimport token``: who may use a served engine."""

from ldimport.cli.archive import require_paths
from ldimport.cli.command import Command, Group
from ldimport.cli.output.documents import Document, fields_of
from ldimport.cli.output.screen import TableColumn, table
from ldimport.cli.session import Session
from ldimport.engine import access_tokens
from ldimport.engine.access_tokens import TokenScope
from ldimport.engine.records import StoredToken
from ldimport.errors import ExitCode, UsageError
from ldimport.wording import utc


def create(
    session: Session, name: str, scope: list[str] | None = None, days: float | None = None
) -> ExitCode:
    """Make a token for `ldimport serve`; it is shown this once and stored hashed."""
    if unknown := [each for each in scope or () if each not in set(TokenScope)]:
        raise UsageError(f"--scope {unknown[0]}: there are {', '.join(TokenScope)}")
    chosen = tuple(map(TokenScope, scope or TokenScope))
    made = access_tokens.create(session.settings.engine, name, chosen, days, now=session.now())
    if session.options.json:
        session.document({"format": 1, "token": made, "name": name, "scopes": list(chosen)})
    else:
        session.out.line(made)
        if not session.options.quiet:
            session.notes.line("keep it: it is not shown again")
    return ExitCode.OK


def list_(session: Session) -> ExitCode:
    """List tokens with scopes and expiry, never the tokens themselves."""
    require_paths(session)
    found = [_document(each) for each in access_tokens.tokens(session.settings.engine)]
    if session.options.json:
        session.document({"format": 1, "tokens": found})
        return ExitCode.OK
    columns = (
        TableColumn("ID"),
        TableColumn("NAME", shrink=True),
        TableColumn("SCOPES", drop=2),
        TableColumn("EXPIRES", drop=1),
        TableColumn("STATE"),
    )
    rows = [
        (
            each["id"],
            each["name"],
            " ".join(each["scopes"]),
            each["expiresAt"] or "never",
            "revoked" if each["revokedAt"] else "valid",
        )
        for each in found
    ]
    table(session.screen, columns, rows)
    return ExitCode.OK


def _document(token: StoredToken) -> Document:
    facts = fields_of(token, "sha256")
    moments = {key: facts[key] for key in ("createdAt", "expiresAt", "revokedAt")}
    return {**facts, **{key: None if at is None else utc(at) for key, at in moments.items()}}


def revoke(session: Session, token: str) -> ExitCode:
    """Revoke a token; it is refused from now on."""
    require_paths(session)
    if not access_tokens.revoke(session.settings.engine, token, now=session.now()):
        raise UsageError(f"no token “{token}”", hint="ldimport token list", code="unknown-token")
    if session.options.json:
        session.document({"format": 1, "id": token, "revoked": True})
    elif not session.options.quiet:
        session.screen.say("✓", f"{token} is revoked")
    return ExitCode.OK


_EXITS = {
    ExitCode.OK: "done",
    ExitCode.USAGE: "",
    ExitCode.CONFIG: "the folder is no engine's",
}

COMMAND = Group(
    "token",
    "Tokens for a served engine.",
    (
        Command(create, ("ldimport token create ci --days 90",), _EXITS),
        Command(list_, ("ldimport token list",), _EXITS),
        Command(revoke, ("ldimport token revoke 7f3a9c",), _EXITS),
    ),
)
