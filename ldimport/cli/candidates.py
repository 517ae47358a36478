"""What may stand where a command line ends, for shells that complete it.

Nothing here asks the network or writes anything, and errors say nothing: a shell that completes has
no place for them. The scripts (``scripts/``) hand the words over and quote what comes back, so that
no id is ever run: one candidate a line, after a tab what it is.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ldimport.cli.app import FLAGS, PROGRAM, given_by, global_params, hoist, root
from ldimport.cli.command import LIST
from ldimport.cli.interrupt import within
from ldimport.cli.output.text import cut
from ldimport.cli.run import COMPLETE_VARIABLE
from ldimport.errors import TemporaryError
from ldimport.wording import clean, counted

if TYPE_CHECKING:
    from ldimport.migration import Migration

MOST_JOBS = 50
SECONDS = 2.0
"""A large state file is no reason to keep somebody waiting for a word."""
_MOST_HELP = 70
FILES = "\x1c"
"""The one line that says: files, as the shell completes them itself."""


class Candidate(NamedTuple):
    """A word that fits, and what it is."""

    word: str
    about: str = ""


Found = Iterable[Candidate]


def answer(arguments: Sequence[str]) -> str:
    """What the scripts read: a line for each candidate. ``arguments`` are, behind ``--``, the
    words so far, the last one unfinished; or for bash the line that is typed: bash does not unquote
    it."""
    rest, shell = [*arguments[1:]], os.environ[COMPLETE_VARIABLE]
    if shell == "powershell":
        rest[-1] = rest[-1][1:]  # behind what keeps an empty word from being left out
    late = TemporaryError("completing took too long")
    with within(SECONDS, lambda: late):
        if shell == "bash":
            words, typed = split(rest[0])
            found = [f"{typed.quoted(each.word)}\n" for each in candidates(words)]
        else:
            start = _before_value(rest[-1])
            found = [f"{start}{each.word}\t{each.about}\n" if each.word != FILES else f"{FILES}\n"
                     for each in candidates(rest)]  # fmt: skip
    return "".join(found)


def candidates(words: Sequence[str]) -> Iterator[Candidate]:
    """Words that fit after these, the last of which is unfinished; one that a shell cannot hold on
    a line is left out."""
    from typer._click.shell_completion import _resolve_context, _resolve_incomplete

    *before, typed = words
    before = hoist(before)
    context = _resolve_context(root(), {}, PROGRAM, before)
    here, typed = _resolve_incomplete(context, before, typed)
    for each in _of(here, context, typed):
        if each.word.startswith(typed) and each.word.isprintable():
            yield Candidate(each.word, cut(clean(each.about), _MOST_HELP))
        elif each.word == FILES:  # its sign is none that is printed
            yield each


def _of(here: Any, context: Any, typed: str) -> Found:
    """What there is for a command (its options and commands) or a parameter (its values)."""
    if not hasattr(here, "type_descriptor"):
        return _below(here, context, typed)
    if (known := _VALUES.get(here.name)) is not None:
        return known(context, typed)
    kind = here.type_descriptor
    if kind.choices:
        return [Candidate(str(getattr(each, "value", each))) for each in kind.choices]
    return [Candidate(FILES)] if kind.annotation in (Path, list[Path]) else ()


def _below(command: Any, context: Any, typed: str) -> Found:
    """Commands of a group, without importing what they do; options of a command that are not given
    yet, global ones also before it."""
    if hasattr(command, "commands") and (context._protected_args or context.args):
        return ()  # behind a command that is none
    if command.name == PROGRAM and not typed.startswith("-"):
        return [Candidate(*each) for section in LIST.values() for each in section.items()]
    if command.name == PROGRAM:
        params = [*command.get_params(context), *global_params()]
        return [Candidate(max(each.opts, key=len), each.help or "") for each in params]
    found = command.shell_complete(context, typed)
    return [Candidate(str(each.value), each.help or "") for each in found]


# -- values of parameters, by their names --------------------------------------------------------


def _known(asked: Callable[[Migration], Iterable[Candidate]]) -> Callable[[Any, str], Found]:
    """What the state file in force knows; it is only read."""

    def look(context: Any, typed: str) -> Found:
        from ldimport.migration import Migration
        from ldimport.settings import load

        flags = {name: context.params[name] for name in FLAGS & {*context.params}
                 if given_by(context, name) == "COMMANDLINE"}  # fmt: skip
        state_file = load(flags, environ=os.environ, cwd=Path.cwd()).state
        if not state_file.is_file():
            return []
        with Migration.open(state_file, write=False) as migration:
            return [*asked(migration)]

    return look


def _jobs(migration: Migration) -> Found:
    for row in islice(migration.jobs(), MOST_JOBS):
        yield Candidate(row.id, f"{row.state}, {counted(row.counts.total, 'image')}")


def _causes(migration: Migration) -> Found:
    for row in migration.causes():
        yield Candidate(row.cause, f"{counted(row.images, 'image')}: {row.text}")


def _names(migration: Migration) -> Found:
    for each in migration.archives():
        yield Candidate(each.system_name, each.label)


def _profiles(context: Any, typed: str) -> Found:
    from ldimport.settings import UserFolders, project_file
    from ldimport.settings.files import read_dotfile, read_yaml

    cwd = Path.cwd()
    named = context.params.get("config")
    for path in (named or project_file(cwd), UserFolders.of(None).config / "config.yaml"):
        if path is not None and Path(path).is_file():
            for name in read_yaml(Path(path))[0].get("profiles") or ():
                yield Candidate(name, str(path))
    for name in read_dotfile(cwd).environments:
        yield Candidate(name, ".livingdocs-cli")


def _manifests(context: Any, typed: str) -> Found:
    """Folders, and files that end as a manifest does; where none does, any file."""
    from ldimport.manifest.detect import named_format

    head, tail = os.path.split(typed)
    start = typed.removesuffix(tail)
    found = []
    with suppress(OSError):
        for each in sorted(Path(head or ".").iterdir(), key=lambda path: path.name):
            hidden = each.name.startswith(".") and not tail.startswith(".")
            if each.is_dir() and not hidden:
                found.append(Candidate(f"{start}{each.name}/"))
            elif named_format(each.name) is not None:
                found.append(Candidate(f"{start}{each.name}"))
    return [each for each in found if each.word.startswith(typed)] or [Candidate(FILES)]


def _codes(context: Any, typed: str) -> Found:
    from ldimport.causes import known_cause, proposable
    from ldimport.migration.explanations import CODES, EXITS, OTHERS

    for known in (CODES, OTHERS, EXITS):
        yield from (Candidate(code, each.title) for code, each in known.items())
    for code in proposable():
        cause = known_cause(code)
        yield Candidate(code, "" if cause is None else cause.meaning)


def _commands(context: Any, typed: str) -> Found:
    """Words of commands, one after the other."""
    from ldimport.cli.output.schemas import emitted

    given = " ".join(context.params.get("words") or ())
    start = f"{given} " if given else ""
    words = (each.removeprefix(start).split()[0] for each in emitted() if each.startswith(start))
    return [Candidate(each) for each in dict.fromkeys(words)]


def _scopes(context: Any, typed: str) -> Found:
    from ldimport.engine.access_tokens import TokenScope

    return [Candidate(each.value) for each in TokenScope]


def _dialects(context: Any, typed: str) -> Found:
    from ldimport.wire import Dialect

    return [Candidate(each.value) for each in Dialect]


_VALUES: Mapping[str, Callable[[Any, str], Found]] = {
    "profile": _profiles,
    "system_name": _known(_names),
    "job": _known(_jobs),
    "jobs": _known(_jobs),
    "cause": _known(_causes),
    "paths": _manifests,
    "manifest": _manifests,
    "folder": _manifests,
    "what": _codes,
    "words": _commands,
    "scope": _scopes,
    "dialect": _dialects,
    "target": lambda context, typed: [Candidate("embedded", "the local engine")],
}


# -- words as they are typed ---------------------------------------------------------------------

_PLAIN = re.compile(r"[^\w@%+=:,./-]", re.ASCII)
_BREAKS = ":="
"""Where bash begins a new word, beside blanks."""


class Typed(NamedTuple):
    """The unfinished word of a bash line: an open ``quote``, if any, and how much of the value
    stands before what bash will replace."""

    quote: str
    before: int

    def quoted(self, word: str) -> str:
        """A candidate as it may stand there, whatever is in it; files are the shell's own."""
        if word == FILES:
            return word
        if self.quote == "'":
            return word.replace("'", "'\\''")
        if self.quote == '"':
            return re.sub(r'([\\$`"])', r"\\\1", word)
        return "".join(each if each.isalnum() or not _PLAIN.match(each) else f"\\{each}"
                       for each in word[self.before :])  # fmt: skip


_END = "\x1d"


def split(line: str) -> tuple[list[str], Typed]:
    """The words of a bash line behind the command, without their quotes; of the last one, which is
    unfinished, how it is quoted."""
    lexer = shlex.shlex(f"{line}{_END}", posix=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    words: list[str] = []
    quote = ""
    try:
        words.extend(lexer)
    except ValueError:  # a quote is open
        words.append(lexer.token or "")
        state = vars(lexer)["state"]
        quote = state if state in ("'", '"') else ""
    last = words[-1].replace(_END, "")
    value = last[len(_before_value(last)) :]
    before = 0 if quote else max(map(value.rfind, _BREAKS)) + 1
    return [*words[1:-1], last], Typed(quote, before)


def _before_value(word: str) -> str:
    """``--option=`` of ``--option=value``."""
    return word[: word.index("=") + 1] if word.startswith("--") and "=" in word else ""
