"""From ``command`` to typer: commands found by name, global options on each, help as a manual."""

import gc
import inspect
import os
import pathlib
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import fields, is_dataclass
from functools import cache, partial
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.models import OptionInfo

from ldimport.cli import options
from ldimport.cli.command import COMMANDS, GROUPS, LIST, Command, Group
from ldimport.cli.interrupt import ends_in_order
from ldimport.cli.options import GlobalOptions
from ldimport.cli.session import Session
from ldimport.errors import ExitCode, LdimportError, UsageError
from ldimport.settings import values

PROGRAM = "ldimport"
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
GLOBAL = "Global options"
FLAGS = {
    "profile",
    "config",
    "profile_file",
    *(each.name for each in values.SETTINGS if each.option),
}
"""Parameters that ``settings`` decides: those given on the command line are handed to it."""


def list_of_codes() -> str:
    """All exit codes in one line, which may break only between two of them."""
    words = (f"{code:d} {code.word}".replace(" ", "\xa0") for code in ExitCode)
    return "Exit codes:\n  " + "\xa0· ".join(words)


def narrowed(line: str, width: int) -> Iterator[str]:
    """A line of an epilog for a narrow window: an example stays whole, its remark goes below it."""
    example, gap, remark = line.strip().partition("   ")
    if len(line) > width and example.startswith("ldimport"):
        yield f"  {example}"
        yield from (f"      {remark.strip()}" for _ in filter(None, [gap]))
        return
    indent = " " * (len(line) - len(line.lstrip()))
    indent += " " * 4 if line.strip()[:1].isdigit() and "\xa0" not in line else ""
    for part in textwrap.wrap(line, min(width, 80), subsequent_indent=indent) or [""]:
        yield part.removesuffix("\xa0·").replace("\xa0", " ")


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

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """As typer does; words that nobody asked for are told in our own words."""
        ctx.allow_extra_args = True
        super().parse_args(ctx, args)
        if ctx.args and not ctx.resilient_parsing:
            text = f"{ctx.command_path} takes no further words: {' '.join(ctx.args)}"
            raise UsageError(text, hint=f"{ctx.command_path} --help   shows what it takes")
        return ctx.args

    def invoke(self, ctx: Any) -> Any:
        for param in self.params:
            _split_variable(ctx, param)
        given = {name: ctx.params[name] for name in ctx.params
                 if given_by(ctx, name) == "COMMANDLINE"}  # fmt: skip
        common = {each.name: ctx.params.pop(each.name) for each in fields(GlobalOptions)}
        ctx.obj = Session(
            GlobalOptions(**common),
            {name: value for name, value in given.items() if name in FLAGS},
            _words(ctx),
            ctx.params.get("paths") or (),
            _as_words(self.params, options.OF_THE_PLACE, given),
            _as_words(self.params, options.OF_THE_MANIFEST, given),
            _as_words(self.params, options.OF_THE_RUN, given),
        )
        gc.freeze()  # modules stay for ever: neither a collection nor the exit need look at them
        gc.enable()
        with ends_in_order(lambda: None), completed(ctx.obj):
            if "heartbeat" in ctx.params and not ctx.params.get("dry_run"):
                from ldimport.cli.heartbeat import beating

                return beating(ctx.obj, partial(super().invoke, ctx))
            return super().invoke(ctx)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Own options first, then the global ones."""
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": [], GLOBAL: []}
        for param in self.get_params(ctx):
            own = "Arguments" if param.param_type_name == "argument" else "Options"
            if record := param.get_help_record(ctx):
                sections[GLOBAL if param in global_params() else own].append(record)
        for name, records in sections.items():
            if records:
                with formatter.section(name):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Examples and exit codes, each on lines of its own."""
        lines = (self.epilog or "").splitlines()
        shown = "\n".join(part for line in lines for part in narrowed(line, formatter.width))
        formatter.write(f"\n{shown}\n")


@contextmanager
def completed(session: Session) -> Iterator[None]:
    """An error that leaves the command names a next command that means the same run."""
    try:
        yield
    except LdimportError as error:
        session.complete(error)
        raise


def _as_words(
    params: Iterable[Any], names: set[str], given: Mapping[str, Any]
) -> list[tuple[str, ...]]:
    """Those of the options given that have these names, each as the words of a command line."""
    words: list[tuple[str, ...]] = []
    for param in params:
        if param.param_type_name == "argument" or param.name not in given.keys() & names:
            continue
        option, value = max(param.opts, key=len), given[param.name]
        if value is True:
            words.append((option,))
            continue
        values = value if isinstance(value, list | tuple) else [value]
        words += [(option, str(each)) for each in values]
    return words


class Root(TyperGroup):
    """The commands of ``command.LIST``; a command's module is imported when it is asked for."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in self.commands and self.commands[cmd_name] is None:
            self.commands[cmd_name] = build(import_module(f"ldimport.cli.{cmd_name}").COMMAND)
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        for section, commands in LIST.items():
            with formatter.section(section):
                formatter.write_dl(list(commands.items()))

    format_epilog = OurCommand.format_epilog


def root() -> TyperGroup:
    """The whole command line as one typer group."""
    unknown: Any = dict.fromkeys(COMMANDS)
    return Root(
        name=PROGRAM,
        commands=unknown,
        help="Carry image archives into the Livingdocs CMS: check, rehearse, submit, track.",
        epilog=f"Example:\n  ldimport submit samples/manifest.csv\n\n{list_of_codes()}",
        context_settings=dict(SETTINGS),
        rich_markup_mode=None,
    )


def build(spec: Command | Group) -> Any:
    """A typer command or group from its description."""
    if isinstance(spec, Command):
        return _command(spec.name, spec.run, epilog=spec.epilog())
    return TyperGroup(
        name=spec.name,
        commands={each.name: build(each) for each in spec.commands},
        help=spec.help,
        context_settings=dict(SETTINGS),
        rich_markup_mode=None,
    )


def _command(name: str, function: Callable[..., Any], cls: Any = OurCommand, **extra: Any) -> Any:
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(name, cls=cls, context_settings=dict(SETTINGS), **extra)(
        _spelled_out(name, function)
    )
    return typer.main.get_command(app)


def _spelled_out(command: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as typer takes it: with a context instead of a Session, with each parameter
    that is a dataclass replaced by one for each of its fields, and with what
    ``options.TABLE`` says of each."""
    groups: dict[str, Any] = {}
    parameters: list[inspect.Parameter] = []
    for each in inspect.signature(function, eval_str=True).parameters.values():
        if is_dataclass(each.annotation) and each.annotation is not Session:
            kind: Any = each.annotation
            groups[each.name] = kind
            parameters += inspect.signature(kind, eval_str=True).parameters.values()
        else:
            parameters.append(each)

    def call(**given: Any) -> Any:
        if "session" in given:
            given["session"] = given["session"].obj
        for name, kind in groups.items():
            given[name] = kind(**{each.name: given.pop(each.name) for each in fields(kind)})
        return function(**given)

    call.__doc__ = function.__doc__
    told = [_told(command, each) for each in parameters]
    vars(call)["__signature__"] = inspect.Signature(told)
    return call


def _told(command: str, parameter: inspect.Parameter) -> inspect.Parameter:
    """A parameter with its entry in ``options.TABLE``."""
    name, annotation = parameter.name, parameter.annotation
    own = f"{command}.{name}"
    if annotation is Session:
        return parameter.replace(annotation=typer.Context, kind=parameter.KEYWORD_ONLY)
    entry = copy(options.TABLE.get(own) or options.TABLE[name])
    if isinstance(entry, OptionInfo):
        if entry.default is ... and annotation is bool:  # no --no-json
            entry.default = f"--{name.replace('_', '-')}"
        if own in options.TABLE and entry.envvar is None:
            entry.envvar = f"LDIMPORT_{own.replace('.', '_').upper()}"
    annotation = Annotated[annotation, entry]
    return parameter.replace(annotation=annotation, kind=parameter.KEYWORD_ONLY)


@cache
def global_params() -> Sequence[Any]:
    """The parameters of ``GlobalOptions``."""

    def common(given: GlobalOptions) -> None:
        """Never called."""

    return tuple(_command("common", common, TyperCommand).params)


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


def given_by(ctx: Any, name: str) -> str:
    """What a parameter's value came from: ``COMMANDLINE``, ``ENVIRONMENT`` …"""
    source = ctx.get_parameter_source(name)
    return source.name if source is not None else ""


def _split_variable(ctx: Any, param: Any) -> None:
    """A repeatable option's variable holds its values between commas (typer splits at blanks)."""
    if getattr(param, "multiple", False) and given_by(ctx, param.name) == "ENVIRONMENT":
        values = os.environ.get(param.envvar, "").split(",")
        ctx.params[param.name] = [value.strip() for value in values if value.strip()]


def _words(ctx: Any) -> list[str]:
    """Command and arguments without options, for others to read: ``submit archive.csv``."""
    words: list[str] = ctx.command_path.split()[1:]
    for param in ctx.command.params:
        value = ctx.params.get(param.name) if param.param_type_name == "argument" else None
        words += map(str, value if isinstance(value, list | tuple) else [value] if value else [])
    return words


def hoist(arguments: Sequence[str]) -> list[str]:
    """Move global options that stand before the command behind it, where it takes them."""
    takes = {
        name: not (param.is_flag or param.count) for param in global_params() for name in param.opts
    }
    moved: list[str] = []
    path: list[str] = []
    rest = list(arguments)
    while rest and (not path or (len(path) == 1 and path[0] in GROUPS)):
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
