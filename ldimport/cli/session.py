"""What every command starts from: the global options, the streams, settings, state and target."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ldimport.cli.options import GlobalOptions, ReadingOptions
from ldimport.cli.output.screen import Screen
from ldimport.cli.output.silence import SilenceOnce, silence_text
from ldimport.cli.output.stream import look_at
from ldimport.cli.output.text import exact_clock, utc
from ldimport.errors import LockedError
from ldimport.model import Notice, Silence
from ldimport.url import without_secrets

if TYPE_CHECKING:
    from ldimport.cli.output.documents import Document
    from ldimport.manifest import Manifest
    from ldimport.migration import Migration, Source
    from ldimport.model import Integrity
    from ldimport.schema.config import ProjectConfig
    from ldimport.settings import Settings, UntrustedError
    from ldimport.targets.base import Target

_OF_THE_ENGINE = ("serve", "worker", "token", "engine")


@dataclass
class Session:
    """One call of a command. ``flags`` are settings given on the command line; ``words`` command
    and arguments without options, ``paths`` the manifests among them; ``kept`` the options that a
    next command needs too, ``again`` those that the same command needs beside them; ``now`` tells
    Unix time."""

    options: GlobalOptions = field(default_factory=GlobalOptions)
    flags: Mapping[str, object] = field(default_factory=dict)
    words: Sequence[str] = ()
    paths: Sequence[str] = ()
    kept: Sequence[str] = ()
    again: Sequence[str] = ()
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    now: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        """Results go to ``out`` and ``screen``, everything else to ``err`` and ``notes``."""
        options = self.options
        still = options.json or options.quiet > 0
        self.out, self.err = (
            look_at(file, self.environ, no_color=options.no_color, still=still)
            for file in (sys.stdout, sys.stderr)
        )
        self.screen, self.notes = Screen(self.out), Screen(self.err)
        self._hears: Callable[[Silence | Notice], None] = self._say
        self._silence = SilenceOnce(self.now)

    @property
    def chatty(self) -> bool:
        """Whether people read along: neither JSON nor silence was asked for."""
        return not (self.options.json or self.options.quiet)

    def tell(self, said: Silence | Notice) -> None:
        """A server does not answer, or does again, or has something to say: whoever listens now is
        told."""
        self._hears(said)

    @contextmanager
    def heard_by(self, listener: Callable[[Silence | Notice], None]) -> Iterator[None]:
        """Inside, this one listens; otherwise lines are written, and the log file too."""
        before, self._hears = self._hears, listener
        try:
            yield
        finally:
            self._hears = before

    def _say(self, said: Silence | Notice) -> None:
        if isinstance(said, Silence) and not self._silence.worth(said):
            return
        if self.options.log_file is not None:
            from ldimport.cli.output.documents import dumps, event
            from ldimport.files import appended

            with appended(self.options.log_file) as file:
                file.write(f"{dumps(event(said, self.now()))}\n")
        if self.options.quiet:
            return
        if isinstance(said, Notice):
            self.notes.say("!", said.text)
            return
        at = said.next_try
        word = "" if at is None else exact_clock(at) if self.err.tty else utc(at)
        self.notes.say("✓" if said.over else "!", silence_text(said, at=word))

    def document(self, document: Document) -> None:
        """Print a JSON document as one line."""
        from ldimport.cli.output.documents import dumps

        self.out.document(dumps(document))

    @property
    def can_ask(self) -> bool:
        """Whether a question can be asked and answered."""
        return self.err.tty and sys.stdin is not None and sys.stdin.isatty()

    @property
    def arguments(self) -> str:
        """The command's arguments with their options, as a shell takes them, for hints."""
        return shlex.join(map(without_secrets, [*self.words[1:], *self.kept]))  # quotes tear URLs

    @property
    def command(self) -> str:
        """The whole command, as a shell takes it, to go on with."""
        return shlex.join(map(without_secrets, [*self.words, *self.kept, *self.again]))

    @cached_property
    def settings(self) -> Settings:
        """What is in force; the project file is looked for from the manifest's folder."""
        from ldimport.settings import UntrustedError, load

        near = None if not self.paths or self.paths[0] == "-" else Path(self.paths[0])
        folder = near if near is None or near.is_dir() else near.parent
        flags = self.flags
        if self.words and self.words[0] in _OF_THE_ENGINE:  # wherever a file sends images
            flags = {"target": "embedded", **flags}
        while True:
            try:
                return load(flags, near=folder, environ=self.environ, cwd=Path.cwd())
            except UntrustedError as error:
                if not self._agrees(error):
                    raise

    def check_webhook(self, manifest: Manifest) -> None:
        """Results go to no address that only the manifest names, until the user agrees to it.
        Raises UntrustedError."""
        from ldimport.settings import UntrustedError, UserFolders
        from ldimport.settings.trust import digest_of

        trusted = UserFolders.of(None).trusted
        for file, webhook in manifest.webhooks.items() if self.settings.webhook is None else ():
            path = Path("standard input" if file == "-" else file)
            asked = UntrustedError(path, digest_of(webhook), {"webhook": without_secrets(webhook)})
            if file == "-":
                asked.hint = "if it is right, name it yourself: --webhook URL"
            if not (trusted.hold(asked.file, asked.digest) or self._agrees(asked)):
                raise asked

    def _agrees(self, asked: UntrustedError) -> bool:
        """Ask whether a file that may be a stranger's may decide this; remembered if so."""
        if not self.can_ask or self.options.json:
            return False
        from ldimport.cli.questions import says_yes
        from ldimport.settings import UserFolders

        self.notes.error(asked)
        if yes := says_yes("  Agree to this file?"):
            UserFolders.of(None).trusted.add(asked.file, asked.digest)
        return yes

    @property
    def filters(self) -> dict[str, str | None]:
        """Target and systemName to look for in the state file: those of the command line."""
        return {
            name: getattr(self.settings, name) if name in self.flags else None
            for name in ("target", "system_name")
        }

    def project_config(self, target: Target | None = None) -> ProjectConfig:
        """The project config in force; an HTTP target is asked only where no file is named."""
        from ldimport.migration.open import project_config

        if self._own_config or target:
            return self._own_config or project_config(None, target)
        with self.target() as target:
            return project_config(None, target)

    @cached_property
    def _own_config(self) -> ProjectConfig | None:
        from ldimport.migration.open import project_config

        if self.settings.embedded or self.settings.project_config is not None:
            return project_config(self.settings.project_config)
        return None

    @contextmanager
    def target(self, *, deadline: float | None = None) -> Iterator[Target]:
        """The target in force, for at most ``deadline`` seconds. AuthError: a bad token."""
        from ldimport.authorities import check_ca_file
        from ldimport.migration import open_target

        settings, config = self.settings, self._own_config
        if settings.insecure and not settings.embedded:
            self.notes.line(
                ("! certificates are not checked (--insecure)", "yellow"),
                f": anyone on the way can read the token and pose as {settings.target}",
                indent=2,
            )
        if settings.token is not None and not settings.embedded:
            settings.token.reveal()
        ca_file = settings.job_options.ca_file
        if ca_file is not None:
            check_ca_file(ca_file)
        target = open_target(
            settings.target,
            engine=settings.engine,
            ca_file=ca_file,
            engine_options=settings.engine_options,
            max_body=settings.max_body,
            config=config,
            token=settings.token,
            api_version=settings.api_version,
            insecure=settings.insecure,
            deadline=deadline,
            tell=self.tell,
            secrets=self.environ.get("LDIMPORT_WEBHOOK_SECRET", "").split(),
        )
        with closing(target):
            yield target

    @contextmanager
    def source(
        self,
        config: ProjectConfig,
        reading: ReadingOptions,
        integrity: Integrity | None = None,
        *,
        named: bool = True,
    ) -> Iterator[Source]:
        """The manifest with all that decides what is sent, closed at the end. ``named`` False: the
        archive needs no systemName yet (``validate``)."""
        from ldimport.migration import Wishes, open_source
        from ldimport.migration.open import read_options
        from ldimport.model import Integrity

        settings = self.settings
        own = settings.system_name
        given = "system_name" in self.flags
        wishes = Wishes(
            system_name=own if given else None,
            fallback_name=None if given else own or (None if named else "unnamed"),
            webhook=settings.webhook,
            context=None if settings.context is None else dict(settings.context),
            base_url=settings.base_url,
            read=read_options(
                settings.manifest,
                file=settings.sources.get("manifest", ""),
                maps=reading.maps or (),
                sets=reading.sets or (),
                map_values=reading.map_values or (),
                strict_columns=reading.strict_columns,
                root=reading.root,
                encoding=reading.encoding,
                delimiter=reading.delimiter,
            ),
            lenient=reading.lenient or (settings.embedded and settings.job_options.lenient),
            strict=reading.strict,
        )
        job = replace(settings.job_options, integrity=integrity or Integrity.FULL)
        source = open_source(reading.paths, config, wishes, job, local=settings.embedded)
        try:
            yield source
        finally:
            source.manifest.close()

    def migration(self, target: Target | None = None, *, write: bool) -> Migration:
        """The state file in force, with its target. Raises LockedError when another run writes."""
        from ldimport.migration import Migration

        command = " ".join(self.words)
        return Migration.open(self.settings.state, write=write, command=command, target=target)

    def migration_if_free(self, target: Target | None = None) -> tuple[Migration, str]:
        """To write to, if no other run does; else to read, and who that run is."""
        try:
            return self.migration(target, write=True), ""
        except LockedError as error:
            who = error.facts.get("who", "another run")
            return self.migration(target, write=False), who


def tilde(path: Path) -> str:
    """A path as people write it, with ``~`` for their home."""
    try:
        return f"~/{path.relative_to(Path.home())}"
    except (ValueError, RuntimeError):
        return str(path)
