"""What every command starts from: the global options, the streams, settings, state and target."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ldimport.cli.options import GlobalOptions
from ldimport.cli.output.screen import Screen
from ldimport.cli.output.stream import look_at
from ldimport.errors import LockedError

if TYPE_CHECKING:
    from ldimport.cli.output.documents import Document
    from ldimport.migration import Migration
    from ldimport.schema.config import ProjectConfig
    from ldimport.settings import Settings
    from ldimport.targets.base import Target


@dataclass
class Session:
    """One call of a command. ``flags`` are settings given on the command line; ``words`` command
    and arguments without options; ``kept`` the options that a next command needs too, ``again``
    those that the same command needs beside them; ``now`` tells Unix time."""

    options: GlobalOptions = field(default_factory=GlobalOptions)
    flags: Mapping[str, object] = field(default_factory=dict)
    words: Sequence[str] = ()
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

    @property
    def chatty(self) -> bool:
        """Whether people read along: neither JSON nor silence was asked for."""
        return not (self.options.json or self.options.quiet)

    def document(self, document: Document) -> None:
        """Print a JSON document as one line."""
        from ldimport.cli.output.documents import dumps

        self.out.line(dumps(document))

    @property
    def can_ask(self) -> bool:
        """Whether a question can be asked and answered."""
        return self.err.tty and sys.stdin is not None and sys.stdin.isatty()

    @property
    def arguments(self) -> str:
        """The command's arguments as a shell takes them, for hints: ``'my archive.csv'``, with
        the options that belong to them."""
        return shlex.join([*self.words[1:], *self.kept])

    @property
    def command(self) -> str:
        """The whole command, as a shell takes it, to go on with."""
        return shlex.join([*self.words, *self.kept, *self.again])

    def settings(self, paths: Sequence[str] = ()) -> Settings:
        """What is in force; the project file is looked for from the manifest's folder."""
        from ldimport.settings import load

        near = None if not paths or paths[0] == "-" else Path(paths[0])
        folder = near if near is None or near.is_dir() else near.parent
        return load(self.flags, near=folder, environ=self.environ, cwd=Path.cwd())

    def filters(self, settings: Settings) -> dict[str, str | None]:
        """Target and systemName to look for in the state file: those of the command line."""
        return {
            name: getattr(settings, name) if name in self.flags else None
            for name in ("target", "system_name")
        }

    @contextmanager
    def target(
        self, settings: Settings, *, deadline: float | None = None
    ) -> Iterator[tuple[Target, ProjectConfig]]:
        """The target and the project config in force; an HTTP target is asked for it only where
        no file is named. ``deadline``: seconds from now, after which it is not waited for."""
        from ldimport.migration.project import project_config

        own = self._own_config(settings)
        with self._connected(settings, own, deadline) as target:
            yield target, own or project_config(None, target)

    def plain_target(
        self, settings: Settings, *, deadline: float | None = None
    ) -> AbstractContextManager[Target]:
        """The target, for what needs no project config: a token may lack the scope for it."""
        return self._connected(settings, self._own_config(settings), deadline)

    def project_config(self, settings: Settings) -> ProjectConfig:
        """The project config in force; an HTTP target is asked only where no file is named."""
        if own := self._own_config(settings):
            return own
        with self.target(settings) as (_, config):
            return config

    def _own_config(self, settings: Settings) -> ProjectConfig | None:
        from ldimport.migration.project import project_config

        if settings.embedded or settings.project_config is not None:
            return project_config(settings.project_config)
        return None

    @contextmanager
    def _connected(
        self, settings: Settings, config: ProjectConfig | None, deadline: float | None
    ) -> Iterator[Target]:
        """The target that the settings name. Raises AuthError for a token that is none."""
        from ldimport.migration import open_target

        if settings.insecure and not settings.embedded:
            self.notes.line(
                ("! certificates are not checked (--insecure)", "yellow"),
                f": anyone on the way can read the token and pose as {settings.target}",
                indent=2,
            )
        if settings.token is not None and not settings.embedded:
            settings.token.reveal()
        target = open_target(
            settings.target,
            engine=settings.engine,
            config=config,
            token=settings.token,
            api_version=settings.api_version,
            insecure=settings.insecure,
            deadline=deadline,
            secrets=self.environ.get("LDIMPORT_WEBHOOK_SECRET", "").split(),
        )
        with closing(target):
            yield target

    def migration(
        self, settings: Settings, target: Target | None = None, *, write: bool
    ) -> Migration:
        """The state file in force, and the target if there is one; LockedError when another run
        writes."""
        from ldimport.migration import Migration

        command = " ".join(self.words)
        return Migration.open(settings.state, write=write, command=command, target=target)

    def migration_if_free(
        self, settings: Settings, target: Target | None = None
    ) -> tuple[Migration, str]:
        """To write to, if no other run does; else to read, and who that run is."""
        try:
            return self.migration(settings, target, write=True), ""
        except LockedError as error:
            who = error.facts.get("who", "another run")
            return self.migration(settings, target, write=False), who


def tilde(path: Path) -> str:
    """A path as people write it, with ``~`` for their home."""
    try:
        return f"~/{path.relative_to(Path.home())}"
    except (ValueError, RuntimeError):
        return str(path)
