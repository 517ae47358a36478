"""What every command starts from: the global options, the streams, settings, state and target."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from ldimport.cli.options import GlobalOptions, ReadingOptions
from ldimport.cli.output.screen import Screen
from ldimport.cli.output.silence import SilenceOnce, full_text
from ldimport.cli.output.stream import look_at
from ldimport.cli.output.text import shell_word
from ldimport.errors import LdimportError, LockedError
from ldimport.model import Integrity, Notice, Silence
from ldimport.url import without_secrets

if TYPE_CHECKING:
    from ldimport.cli.output.documents import Document
    from ldimport.manifest import Manifest
    from ldimport.migration import Migration, Source
    from ldimport.migration.events import Summary
    from ldimport.migration.model import ArchiveName, ArchiveSums
    from ldimport.schema.config import ProjectConfig
    from ldimport.settings import Settings, UntrustedError
    from ldimport.targets.base import Target

Words = tuple[str, ...]
"""An option with its value, as on a command line."""
EMBEDDED = "embedded"
_OF_THE_ENGINE = ("serve", "worker", "token", "engine", "webhooks")
_OF_A_MANIFEST = ("validate", "plan", "submit", "state")
_REPEATED = ("--map", "--set", "--allow-host")


@dataclass
class Session:
    """One call of a command. ``flags`` are settings given on the command line; ``words`` command
    and arguments without options, ``paths`` the manifests among them. Of the options given, each
    as its words: ``place`` those that any next command needs, ``kept`` those of the manifest,
    ``again`` those that only the same command needs. ``ran`` is the archive that the command
    acted on, once it is known, ``alone`` whether the state file holds no other; ``now`` tells
    Unix time. ``begun`` hears that the state file is in hand, ``ended`` is how a run did."""

    options: GlobalOptions = field(default_factory=GlobalOptions)
    flags: Mapping[str, object] = field(default_factory=dict)
    words: Sequence[str] = ()
    paths: Sequence[str] = ()
    place: Sequence[Words] = ()
    kept: Sequence[Words] = ()
    again: Sequence[Words] = ()
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    now: Callable[[], float] = time.time
    ran: ArchiveName | None = None
    alone: bool = True
    begun: Callable[[], None] = lambda: None
    ended: Summary | None = None

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
        if not self.options.quiet:
            text = said.text if isinstance(said, Notice) else full_text(said, tty=self.err.tty)
            self.notes.say("✓" if isinstance(said, Silence) and said.over else "!", text)

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
        """The manifests with the options of this call, for a command about the same ones."""
        return self.same_manifest("validate").removeprefix("ldimport validate ")

    @property
    def command(self) -> str:
        """The same command with all that decides what it does, to go on with."""
        return self.next_command(*self.words).removeprefix("ldimport ")

    def next_command(self, *words: str, of: ArchiveName | None = None) -> str:
        """A command line for the same state file, target and archive (or the one ``of`` which),
        as a shell takes it, without secrets: with the options of this call that mean the same run,
        and what the command would not find by itself. The one place that writes such lines."""
        manifest = words[0] in _OF_A_MANIFEST
        of = of or (None if manifest or words[0] in _OF_THE_ENGINE else self.ran)
        given = [*(self.kept if manifest else ()), *self._place(words, of)]
        given += self.again if words[:1] == tuple(self.words[:1]) else ()
        pairs = {*pairwise(words)}
        more = (each for each in given if each[0] not in words
                or (each[0] in _REPEATED and each not in pairs))  # fmt: skip
        return " ".join(map(shell_word, ("ldimport", *words, *chain.from_iterable(more))))

    def same_manifest(self, command: str, *options: str) -> str:
        """A next command about the manifests of this one."""
        return self.next_command(command, *self.words[1:], *options)

    def _place(self, words: Sequence[str], of: ArchiveName | None) -> Iterable[Words]:
        """The options that say which state file, target and archive are meant."""
        given = {each[0]: each for each in self.place}
        if words[0] not in _OF_A_MANIFEST and (file := self._file_elsewhere()):
            given["--config"] = ("--config", str(file))
        if "--all-archives" in words or ("--all" in words and words[0] != "retry"):
            given.pop("--system-name", None)
        elif of is not None:
            given |= self._naming(of)
        return given.values()

    def _naming(self, of: ArchiveName) -> dict[str, Words]:
        """What names an archive where the settings in force name another or, beside others, none.
        The folder of another engine stands in no state file, so it has to be named."""
        settings = self.settings
        found: dict[str, Words] = {}
        if of.target is not None and of.target != self.here:
            local = of.target.startswith(f"{EMBEDDED}:")
            found["--target"] = ("--target", EMBEDDED if local else of.target)
            found |= {"--engine": ("--engine", "FOLDER")} if local else {}
        elif not (self.target_named or self.alone):
            found["--target"] = ("--target", settings.target)
        silent = self.alone and settings.system_name is None
        if of.system_name and of.system_name != settings.system_name and not silent:
            found["--system-name"] = ("--system-name", of.system_name)
        return found

    def _file_elsewhere(self) -> Path | None:
        """The project file that this command found beside the manifest, if one without the
        manifest would not."""
        from ldimport.settings import project_file

        if not self.paths or "config" in self.flags or self.environ.get("LDIMPORT_CONFIG"):
            return None
        cwd = Path.cwd()
        found = project_file(cwd / (self._near or ""), cwd)
        if found is None or found == project_file(cwd):
            return None
        return Path(min(str(found), os.path.relpath(found, cwd), key=len))

    def knows(self, archives: Iterable[ArchiveSums]) -> None:
        """The state file holds these: whether there is any beside the one acted on, so that next
        commands have to name it."""
        own = self.ran and self.ran.system_name
        others = [each for each in archives if each.totals.rows]
        if own is not None:
            others = [e for e in others if (e.target, e.system_name) != (self.here, own)]
        self.alone = len(others) < (2 if own is None else 1)

    def complete(self, error: BaseException | None) -> None:
        """Let the next command of an error's hint mean the same run. Harmless when done twice."""
        if isinstance(error, LdimportError) and error.hint:
            error.hint = self.completed(error.hint)

    def completed(self, hint: str) -> str:
        """A hint of where nothing is known of this call; ``ldimport watch   why`` is a command."""
        command, gap, why = hint.partition("   ")
        with suppress(ValueError):  # quotes that are none
            words = shlex.split(command) if command.startswith("ldimport ") else []
            if words[1:] and words[2:3] != ["trust"] and "--help" not in words:
                return self.next_command(*words[1:]) + gap + why
        return hint

    @property
    def _near(self) -> Path | None:
        """The folder that the manifest lies in."""
        near = None if not self.paths or self.paths[0] == "-" else Path(self.paths[0])
        return near if near is None or near.is_dir() else near.parent

    @cached_property
    def settings(self) -> Settings:
        """What is in force; the project file is looked for from the manifest's folder."""
        from ldimport.settings import UntrustedError, load

        flags = self.flags
        if self.words and self.words[0] in _OF_THE_ENGINE:  # wherever a file sends images
            flags = {"target": "embedded", **flags}
        while True:
            try:
                return load(flags, near=self._near, environ=self.environ, cwd=Path.cwd())
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

    @cached_property
    def here(self) -> str:
        """The identity of the target in force."""
        from ldimport.migration.open import identity_of

        return identity_of(self.settings.target, self.settings.engine)

    @property
    def target_named(self) -> bool:
        """Whether anything but the default says where images go."""
        settings = self.settings
        keys = ("target", "engine") if settings.embedded else ("target",)
        return any(settings.sources.get(key, "default") != "default" for key in keys)

    @property
    def archive(self) -> ArchiveName:
        """The archive in force, as far as options, environment and config files name one."""
        from ldimport.migration.model import ArchiveName

        return ArchiveName(self.here if self.target_named else None, self.settings.system_name)

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
        target = open_target(
            settings.target,
            engine=settings.engine,
            ca_file=settings.job_options.ca_file,
            engine_options=settings.engine_options,
            max_body=settings.max_body,
            requests_per_second=settings.requests_per_second,
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
        from ldimport.model import Integrity

        settings = self.settings
        own = settings.system_name
        given = "system_name" in self.flags
        read = reading.read(settings.manifest, settings.sources.get("manifest", ""))
        if settings.project_config is not None:  # it may lie in the manifests' folder
            read = replace(read, left_out=frozenset([settings.project_config.resolve()]))
        wishes = Wishes(
            system_name=own if given else None,
            fallback_name=None if given else own or (None if named else "unnamed"),
            webhook=settings.webhook,
            context=None if settings.context is None else dict(settings.context),
            base_url=settings.base_url,
            read=read,
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
        found = Migration.open(self.settings.state, write=write, command=command, target=target)
        self.begun()
        return found

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
