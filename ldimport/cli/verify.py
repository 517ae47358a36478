"""``ldimport verify``: look images up at the target, and compare them with what was sent."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ldimport.cli import archive
from ldimport.cli.command import Command
from ldimport.cli.interrupt import ends_in_order
from ldimport.cli.output import proof
from ldimport.cli.output.documents import dumps
from ldimport.cli.run import clean_logs
from ldimport.cli.runner import seconds_between
from ldimport.cli.session import Session
from ldimport.errors import AuthError, ExitCode, LdimportError, RefusedError, UsageError, worst
from ldimport.files import appended
from ldimport.migration.model import ArchiveName
from ldimport.migration.proof import Verified, VerifyProgress
from ldimport.migration.verify import VerifyOptions

if TYPE_CHECKING:
    from ldimport.migration import Migration
    from ldimport.migration.verify import VerifyEvent
    from ldimport.schema.config import ProjectConfig
    from ldimport.targets.base import Target


@dataclass(frozen=True, slots=True)
class LookOptions:
    """Which images are looked up, and how."""

    sample: int | None = None
    seed: int | None = None
    bytes_: bool = False
    rate: float | None = None
    restart: bool = False
    mark_missing: bool = False
    allow_hosts: list[str] | None = None

    def read(self, session: Session) -> VerifyOptions:
        """As the use case takes them. Raises UsageError."""
        if self.mark_missing and (self.sample is not None or self.bytes_):
            other = "--bytes" if self.bytes_ else "--sample"
            text = f"--mark-missing asks again for all that was missing last; {other} has no place"
            raise UsageError(text, hint=f"leave {other} out")
        if self.seed is not None and self.sample is None:
            raise UsageError("--seed chooses a sample again", hint="add --sample N")
        settings = session.settings
        return VerifyOptions(
            sample=self.sample,
            seed=self.seed,
            pictures=self.bytes_,
            rate=self.rate,
            restart=self.restart,
            mark_missing=self.mark_missing,
            allow_hosts=settings.allow_hosts,
            ca_file=settings.job_options.ca_file,
        )


def verify(
    session: Session,
    looks: LookOptions,
    output: Path | None = None,
    redact: bool = False,
    excel: bool = False,
) -> ExitCode:
    """Look every image that should be at the target up in its media library, by systemName and id,
    and compare media id, size, type and metadata with what was sent; with --bytes the picture too.

    What was interrupted goes on where it stopped. Results of jobs are not relied on.
    """
    archive.require_paths(session)
    options = looks.read(session)
    form = proof.form_of(output)
    with (
        session.target() as target,
        session.migration(target, write=True) as migration,
    ):
        mine = archive.to_ask(session, migration, "verify")
        names = [each.system_name for each in mine]
        session.ran = ArchiveName(system_name=names[0] if len(names) == 1 else None)
        config = _config(session, target) if mine else None
        events = migration.verify(names, options, config)
        end = _follow(session, events)
        if output is not None:
            proof.write(output, form, migration.findings(end), redact=redact, excel=excel)
        code = _exit_code(end)
        _close(session, migration, end, code)
        asked = ArchiveName(target.identity, session.settings.system_name)
        archive.say_elsewhere(session, migration, asked, "status")
        return code


def _config(session: Session, target: Target) -> ProjectConfig | None:
    """The project config, for the names of properties; a token may not read it."""
    with suppress(AuthError, RefusedError):
        return session.project_config(target)
    return None


def _exit_code(end: Verified) -> ExitCode:
    sums = end.sums
    codes = [ExitCode.FAILURES] if sums.differs or sums.missing else []
    if sums.unchecked:
        codes.append(ExitCode.TEMPORARY)
    if end.stopped is not None:
        codes.append(getattr(end.stopped, "exit_code", ExitCode.INTERRUPTED))
    return worst(*codes)


def _close(session: Session, migration: Migration, end: Verified, code: ExitCode) -> None:
    stopped = end.stopped
    if isinstance(stopped, LdimportError):
        session.complete(stopped)
    if session.options.log_file is not None:
        with appended(session.options.log_file) as log:
            log.write(f"{dumps({'type': 'verification', **proof.document(end, code)})}\n")
    if session.options.json:
        session.document(proof.document(end, code))
    elif session.options.quiet < 2:
        proof.show(session, end, local=migration.target.local)
    if isinstance(stopped, LdimportError) and not (session.options.json and session.options.quiet):
        session.notes.error(stopped)


def _follow(session: Session, events: Iterator[VerifyEvent]) -> Verified:
    """Drive it to its end, telling how far it is. A signal ends it in order."""
    clean_logs()
    run = cast("Generator[VerifyEvent, None, None]", events)
    stopping = "Stopping; what was looked up is written down."

    def told() -> None:
        if not session.options.quiet:
            session.notes.line(stopping)

    with _progress(session) as tell, ends_in_order(told):
        happened = next(run)
        while True:
            try:
                if isinstance(happened, Verified):
                    return happened
                tell(happened)
            except KeyboardInterrupt as stop:
                happened = run.throw(stop)
                continue
            happened = next(run)


@contextmanager
def _progress(session: Session) -> Iterator[Callable[[VerifyProgress], None]]:
    """A moving line where something may move, else a line in a log from time to time."""
    if session.options.quiet:
        yield lambda _: None
        return
    told = proof.LookProgress(session.now)
    if session.err.live:
        from ldimport.cli.output.live import moving
        from ldimport.cli.output.screen import assemble

        with moving(session.notes, lambda: assemble(f"  {told.text}")):
            yield told
        return
    every = seconds_between(session.environ.get("LDIMPORT_PROGRESS_EVERY"))
    yield proof.LookLines(session.err, told, session.now, every)


COMMAND = Command(
    verify,
    (
        "ldimport verify --sample 3000        a proof at 95 % confidence in ten minutes",
        "ldimport verify -o differences.csv   every image",
        "ldimport verify --sample 200 --bytes",
    ),
    {
        0: "all that was looked up is there as it was sent",
        1: "some are missing or differ",
        4: "the token may not read the media library (public-api:read), or the config is wrong",
        5: "the target did not answer, or not with all pictures; run again to go on",
    },
    also=(2, 7, 10, 130, 143),
)
