"""From ``spec`` to typer: commands found by name, global options on each, help that is a manual."""

from __future__ import annotations

import gc
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from importlib import import_module
from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from ldimport.cli import options
from ldimport.cli.session import GlobalOptions, Session
from ldimport.cli.spec import LIST, Command, Group, listed

PROGRAM = "ldimport"
COMPLETE_VARIABLE = "_LDIMPORT_COMPLETE"
"""Set by the script of `ldimport completion` while a shell asks for completions."""
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
GLOBAL = "Global options"

TABLE_OF_CODES = """Exit codes:
  0 done · 1 some images failed · 2 usage · 3 manifest has errors
  4 config or authorisation · 5 temporary, run again · 6 quota, run again later
  7 another run at work · 8 deadline · 10 job failed or lost, request refused
  11 failure limit · 70 a bug · 130 interrupted · 143 terminated"""


class OurCommand(TyperCommand):
    """A command that also takes the global options, and hands them on as ``ctx.obj``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params = [*self.params, *global_params()]
        for param in self.params:
            _share_coercion(param)
            if isinstance(param, TyperOption):
                param.show_envvar = True
                if param.envvar is None:
                    param.envvar = variable(param.opts)

    def invoke(self, ctx: Any) -> Any:
        given = {name for name in ctx.params if _source(ctx, name) == "COMMANDLINE"}
        for param in self.params:
            _split_variable(ctx, param)
        common = {param.name: ctx.params.pop(param.name) for param in global_params()}
        settings = {
            options.SETTINGS[name]: value
            for name, value in {**ctx.params, **common}.items()
            if name in given and name in options.SETTINGS
        }
        values = {name: {**ctx.params, **common}[name] for name in given}
        kept = _as_words(self.params, options.OF_THE_MANIFEST, values)
        again = _as_words(self.params, options.OF_THE_RUN, values)
        ctx.obj = Session(
            GlobalOptions(**common), settings, ctx.command_path, _words(ctx), kept, again
        )
        gc.freeze()  # modules stay for ever: neither a collection nor the exit need look at them
        gc.enable()
        return super().invoke(ctx)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Own options first, then the global ones."""
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": [], GLOBAL: []}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is None:
                continue
            if param.param_type_name == "argument":
                sections["Arguments"].append(record)
            else:
                panel = getattr(param, "rich_help_panel", None)
                sections[GLOBAL if panel == GLOBAL else "Options"].append(record)
        for name, records in sections.items():
            if records:
                with formatter.section(name):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Examples and exit codes as they are, not re-wrapped."""
        formatter.write(f"\n{self.epilog or ''}\n")


def _as_words(params: Iterable[Any], names: frozenset[str], given: Mapping[str, Any]) -> list[str]:
    """Those of the options given that have these names, as words of a command line."""
    values, words = given, list[str]()
    for param in params:
        if param.name not in given or param.name not in names:
            continue
        option, value = max(param.opts, key=len), values[param.name]
        if value is True:
            words.append(option)
            continue
        for each in value if isinstance(value, list | tuple) else [value]:
            words += [option, str(each)]
    return words


class OurGroup(TyperGroup):
    """Commands in the order and sections of ``spec.LIST``; shown without importing them."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.commands)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        if not isinstance(self.commands, _Lazy):
            super().format_commands(ctx, formatter)
            return
        for section, commands in LIST.items():
            with formatter.section(section):
                formatter.write_dl([(each.name, each.summary) for each in commands])

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        formatter.write(f"\n{self.epilog or ''}\n")


class _Lazy(MutableMapping[str, Any]):
    """Commands by name; a command's module is imported when it is asked for."""

    def __init__(self) -> None:
        self._names = tuple(listed())
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._loaded:
            self._loaded[name] = build(import_module(f"ldimport.cli.{name}").COMMAND)
        return self._loaded[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def root() -> TyperGroup:
    """The whole command line as one typer group."""
    return OurGroup(
        name=PROGRAM,
        commands=cast("dict[str, Any]", _Lazy()),  # a mapping is all that is used of it
        help="Carry image archives into the Livingdocs CMS: check, rehearse, submit, track.",
        epilog=f"Example:\n  ldimport submit samples/manifest.csv\n\n{TABLE_OF_CODES}",
        context_settings=dict(SETTINGS),
        rich_markup_mode=None,
    )


def build(spec: Command | Group) -> Any:
    """A typer command or group from its description."""
    if isinstance(spec, Group):
        return OurGroup(
            name=spec.name,
            commands={each.name: build(each) for each in spec.commands},
            help=spec.help,
            context_settings=dict(SETTINGS),
            rich_markup_mode=None,
        )
    return _command(spec.name, spec.run, epilog=spec.epilog())


def _command(name: str, function: Callable[..., Any], **extra: Any) -> Any:
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    cls = OurCommand if function is not options.common else TyperCommand
    app.command(name, cls=cls, context_settings=dict(SETTINGS), **extra)(function)
    return typer.main.get_command(app)


_GLOBAL_PARAMS: list[Any] = []


def global_params() -> Sequence[Any]:
    """The parameters of ``options.common``, made once."""
    if not _GLOBAL_PARAMS:
        _GLOBAL_PARAMS.extend(_command("common", options.common).params)
        for param in _GLOBAL_PARAMS:
            param.rich_help_panel = GLOBAL
    return _GLOBAL_PARAMS


def variable(names: Sequence[str]) -> str:
    """Environment variable of an option: ``--batch-size`` is ``LDIMPORT_BATCH_SIZE``."""
    longest = max(names, key=len)
    return f"LDIMPORT_{longest.lstrip('-').replace('-', '_').upper()}"


_COERCIONS: dict[Any, Any] = {}


def _share_coercion(param: Any) -> None:
    """Typer builds a pydantic adapter for each parameter, half a millisecond each; plain texts and
    paths can all use the same two."""
    kind = param.type_descriptor.annotation
    if kind in (str, pathlib.Path):
        own = param.get_runtime_param

        def shared() -> Any:
            if kind not in _COERCIONS:
                _COERCIONS[kind] = own()
            return _COERCIONS[kind]

        param.get_runtime_param = shared


def _source(ctx: Any, name: str) -> str:
    source = ctx.get_parameter_source(name)
    return source.name if source is not None else ""


def _split_variable(ctx: Any, param: Any) -> None:
    """A repeatable option's variable holds its values between commas (typer splits at blanks)."""
    if getattr(param, "multiple", False) and _source(ctx, param.name) == "ENVIRONMENT":
        values = os.environ.get(param.envvar, "").split(",")
        ctx.params[param.name] = [value.strip() for value in values if value.strip()]


def _words(ctx: Any) -> list[str]:
    """Command and arguments without options, for others to read: ``submit archive.csv``."""
    words: list[str] = ctx.command_path.split()[1:]
    for param in ctx.command.params:
        value = ctx.params.get(param.name) if param.param_type_name == "argument" else None
        words += [str(each) for each in value] if isinstance(value, list | tuple) else []
        words += [str(value)] if isinstance(value, str) or hasattr(value, "__fspath__") else []
    return words


def hoist(arguments: Sequence[str]) -> list[str]:
    """Move global options that stand before the command behind it, where it takes them."""
    takes = {
        name: not (param.is_flag or param.count) for param in global_params() for name in param.opts
    }
    groups = {each.name for each in listed().values() if each.group}
    moved: list[str] = []
    path: list[str] = []
    rest = list(arguments)
    while rest and (not path or (len(path) == 1 and path[0] in groups)):
        word = rest.pop(0)
        name = word.split("=", 1)[0]
        if not word.startswith("-") or word == "-":
            path.append(word)
        elif name in takes:
            moved.append(word)
            if takes[name] and "=" not in word and rest:
                moved.append(rest.pop(0))
        elif _cluster(word, takes):
            moved.append(word)
        else:  # not one of ours: -h, or an error that names it
            return [*path, word, *moved, *rest]
    return [*path, *moved, *rest] if path else [*arguments]


def _cluster(word: str, takes: dict[str, bool]) -> bool:
    """Whether this word is several short flags (``-qq``), or one with its value (``-px``)."""
    if word.startswith("--") or len(word) < 3:
        return False
    return takes.get(word[:2], False) or all(f"-{letter}" in takes for letter in word[1:])
