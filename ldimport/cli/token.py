"""``ldimport token``: who may use a served engine."""

from __future__ import annotations

from typing import Annotated

import typer

from ldimport.cli.command import Command, Group
from ldimport.cli.output.table import TableColumn, table
from ldimport.cli.serving import tokens
from ldimport.cli.session import Session
from ldimport.errors import ExitCode, UsageError

SCOPES = ("public-api:read", "public-api:write", "public-api:config:read")


def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="what it is for")],
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", metavar="SCOPE", help="repeatable; default: all three"),
    ] = None,
    days: Annotated[
        float | None, typer.Option("--days", min=0, metavar="N", help="until it expires")
    ] = None,
) -> ExitCode:
    """Make a token for `ldimport serve`; it is shown this once and stored hashed."""
    session = Session.of(context)
    chosen = tuple(scope or SCOPES)
    for each in chosen:
        if each not in SCOPES:
            raise UsageError(f"--scope {each}: there are {', '.join(SCOPES)}")
    made = tokens().create(session.settings().engine, name, chosen, days)
    if session.options.json:
        session.document({"format": 1, "token": made, "name": name, "scopes": list(chosen)})
    else:
        session.out.line(made)
        if not session.options.quiet:
            session.notes.line("keep it: it is not shown again")
    return ExitCode.OK


def list_(context: typer.Context) -> ExitCode:
    """List tokens with scopes and expiry, never the tokens themselves."""
    session = Session.of(context)
    found = tokens().tokens(session.settings().engine)
    if session.options.json:
        session.document({"format": 1, "tokens": [dict(each) for each in found]})
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
            str(each["id"]),
            str(each["name"]),
            " ".join(map(str, each["scopes"])) if isinstance(each["scopes"], list) else "",
            str(each.get("expiresAt") or "never"),
            "revoked" if each.get("revokedAt") else "valid",
        )
        for each in found
    ]
    table(session.screen, columns, rows)
    return ExitCode.OK


def revoke(
    context: typer.Context,
    token: Annotated[str, typer.Argument(metavar="ID", help="as `ldimport token list` shows it")],
) -> ExitCode:
    """Revoke a token; it is refused from now on."""
    session = Session.of(context)
    if not tokens().revoke(session.settings().engine, token):
        raise UsageError(f"no token “{token}”", hint="ldimport token list", code="unknown-token")
    if session.options.json:
        session.document({"format": 1, "id": token, "revoked": True})
    elif not session.options.quiet:
        session.screen.line(("✓", "green"), f" {token} is revoked")
    return ExitCode.OK


_EXITS = {
    ExitCode.OK: "done",
    ExitCode.USAGE: "",
    ExitCode.CONFIG: "server parts not installed, or the folder is no engine's",
}

COMMAND = Group(
    "token",
    "Tokens for a served engine.",
    (
        Command("create", create, ("ldimport token create ci --days 90",), _EXITS),
        Command("list", list_, ("ldimport token list",), _EXITS),
        Command("revoke", revoke, ("ldimport token revoke 7f3a9c",), _EXITS),
    ),
)
