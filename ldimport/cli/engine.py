"""``ldimport engine``: look after a local engine's folder."""

from ldimport.cli.archive import require_paths
from ldimport.cli.command import Command, Group
from ldimport.cli.output.documents import FORMAT, fields_of
from ldimport.cli.questions import says_yes
from ldimport.cli.session import Session, tilde
from ldimport.errors import ExitCode, UsageError
from ldimport.wording import clean, counted, size


def check(session: Session) -> ExitCode:
    """Read the catalogue and every stored original, and say whether all is sound."""
    from ldimport.engine import maintenance

    require_paths(session)
    folder = session.settings.engine
    health = maintenance.check(folder)
    code = ExitCode.OK if health.sound else ExitCode.CONFIG
    if session.options.json:
        head = {"format": FORMAT, "engine": str(folder)}
        session.document({**head, **fields_of(health), "exitCode": int(code)})
        return code
    screen = session.screen
    screen.line(("local engine", "bold"), f"  {tilde(folder)}")
    entries = counted(health.entries, "entry")
    stored = f"{counted(health.originals, 'original')} · {size(health.bytes)}"
    screen.line(f"  {entries} · {stored} · {counted(health.open_images, 'open image')}", indent=2)
    screen.blank()
    for text in health.complaints:
        screen.say("✗", f"catalogue: {text}")
    for word, found in (("missing", health.missing), ("damaged", health.damaged)):
        if found:
            shown = ", ".join(found[:3]) + (" …" if len(found) > 3 else "")
            what = counted(len(found), "original")
            screen.say("✗", f"{what} {word}: {shown}")
    if health.removed:
        what = counted(len(health.removed), "stored file")
        screen.say("✓", f"{what} that nothing referred to removed")
    if health.sound:
        screen.say("✓", "sound: every original is there, byte for byte")
    else:
        screen.hints(
            [(session.next_command("submit", "MANIFEST", "--resend"), "fetches the images again")]
        )
    return code


def reset(session: Session, yes: bool = False) -> ExitCode:
    """Remove the local engine with everything it stores; Livingdocs is not touched.

    The state file still knows what was sent to it, under the old engine's identity.
    """
    from ldimport.engine import maintenance

    require_paths(session)
    folder = session.settings.engine
    if not yes:
        if not session.can_ask:
            hint = "run it again with --yes"
            raise UsageError(f"this removes the engine in {folder}", hint=hint, code="ask")
        if not says_yes(clean(f"Remove the engine in {folder}?")):
            raise UsageError("nothing was removed", code="declined")
    maintenance.reset(folder)
    if session.options.json:
        session.document({"format": 1, "engine": str(folder), "removed": True})
    elif not session.options.quiet:
        session.screen.say("✓", f"the engine in {tilde(folder)} is removed")
    return ExitCode.OK


COMMAND = Group(
    "engine",
    "Look after a local engine: is it sound, and starting over.",
    (
        Command(
            check,
            ("ldimport engine check", "ldimport engine check --engine ./engine --json"),
            {
                ExitCode.OK: "sound",
                ExitCode.USAGE: "",
                ExitCode.CONFIG: "something is missing or damaged, or it is no engine",
            },
        ),
        Command(
            reset,
            ("ldimport engine reset --engine ./engine --yes",),
            {
                ExitCode.OK: "removed",
                ExitCode.USAGE: "not agreed to",
                ExitCode.CONFIG: "it is no engine",
                ExitCode.LOCKED: "workers are busy with it",
            },
        ),
    ),
)
