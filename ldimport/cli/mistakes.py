"""What is wrong with a command line, in our words: those of typer and pydantic are for programmers.

Read from what their errors know (which parameter, which value), never from their sentences.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ldimport.cli.app import PROGRAM, global_params, hoist, root
from ldimport.cli.command import COMMANDS, GROUPS
from ldimport.errors import UsageError, did_you_mean, near
from ldimport.wording import number

if TYPE_CHECKING:
    from typer import TyperException


def usage_error(error: TyperException, arguments: Sequence[str]) -> UsageError:
    """The error in our form: what is wrong with which word, what it should be, where to look."""
    about: Any = error
    command = _command(about, arguments)
    path = " ".join([PROGRAM, *_path(arguments)])
    more = f"{path} --help   shows what it takes"
    kind, param = type(error).__name__, getattr(about, "param", None)
    if kind == "NoSuchOption":
        return _unknown_option(command, path, str(about.option_name), more)
    if kind == "BadOptionUsage":
        return _wrongly_used(command, str(about.option_name), more)
    if kind == "MissingParameter" and param is not None:
        text = f"{path} needs {param.metavar}"
        return UsageError(f"{text}: {param.help}" if param.help else text, hint=more)
    if param is not None:
        return _bad_value(about, param, more)
    return _wrong_words(command, path, arguments, more)


def _path(arguments: Sequence[str]) -> list[str]:
    """The words of a command line that name its command."""
    words = hoist(arguments)
    path = words[:1] if words[:1] and words[0] in COMMANDS else []
    if path and path[0] in GROUPS and words[1:2] and not words[1].startswith("-"):
        group = _under(root(), path[0])
        path += [words[1]] if words[1] in group.commands else []
    return path


def _command(error: Any, arguments: Sequence[str]) -> Any:
    """The command, or group of commands, that the error is about."""
    context = getattr(error, "ctx", None)
    if context is not None:
        return context.command
    found: Any = root()
    for word in _path(arguments):
        found = _under(found, word)
    return found


def _under(group: Any, word: str) -> Any:
    return group.get_command(None, word)


def _unknown_option(command: Any, path: str, name: str, more: str) -> UsageError:
    if path == PROGRAM and any(name in param.opts for param in global_params()):
        text = f"{path} needs a command beside {name}"
        return UsageError(text, hint=f"there are {', '.join(COMMANDS)}")
    words = [word[2:] for param in command.params for word in param.opts if word[:2] == "--"]
    meant = near(name.lstrip("-"), words, "options")  # of dashes all are alike
    hint = f"did you mean --{meant}?" if meant else more
    return UsageError(f"{path} has no option {name}", hint=hint)


def _wrongly_used(command: Any, name: str, more: str) -> UsageError:
    """An option without the value it needs, or with one that it does not take."""
    param = next((each for each in command.params if name in each.opts), None)
    if param is None or param.is_flag or param.count:
        return UsageError(f"{name} takes no value", hint=more)
    return UsageError(f"{name} needs a value: {_wanted(param) or param.help}", hint=more)


def _bad_value(error: Any, param: Any, more: str) -> UsageError:
    """A value that an option or argument cannot take."""
    said = _said(error)
    name, value = _name(error, param), "" if said is None else f" {said}"
    wanted = _wanted(param)
    text = f"{name}{value} must be {wanted}" if wanted else f"{name} names a file nobody can read"
    choices = tuple(map(str, param.type_descriptor.choices or ()))
    guess = near(str(said), choices) if said is not None and choices else None
    return UsageError(text, hint=f"did you mean {guess}?" if guess else more)


def _name(error: Any, param: Any) -> str:
    """What the value was given by: the option, its variable, or the argument's name."""
    source = error.ctx.get_parameter_source(param.name) if error.ctx is not None else None
    if getattr(source, "name", "") == "ENVIRONMENT":
        return str(param.envvar)
    if param.param_type_name == "argument":
        return str(param.metavar or param.name.upper())
    return str(max(param.opts, key=len))


def _said(error: Any) -> str | None:
    """The value as it was written, where the error knows it."""
    found = getattr(error.__cause__, "errors", None)
    for each in found() if callable(found) else ():
        if isinstance(each.get("input"), str | int | float):
            return str(each["input"]) or "''"
    return None


_WORDS = {int: "a whole number", float: "a number", bool: "true or false"}


def _wanted(param: Any) -> str:
    """What a value of this parameter has to be; empty where any text will do."""
    choices = tuple(param.type_descriptor.choices or ())
    if choices:
        return f"one of {', '.join(str(getattr(each, 'value', each)) for each in choices)}"
    kind = int if getattr(param, "count", False) else param.type_descriptor.annotation
    words = _WORDS.get(kind, "")
    info = param.type_descriptor.parameter_info
    least, most = info.min, info.max
    if least is not None and most is not None:
        return f"{words} from {number(least)} to {number(most)}"
    return f"{words}, {number(least)} or more" if least is not None else words


def _wrong_words(command: Any, path: str, arguments: Sequence[str], more: str) -> UsageError:
    """A command that is not there, or words that nobody asked for."""
    commands = getattr(command, "commands", None)
    if not commands:
        return UsageError(f"{path} cannot be called like this", hint=more)
    after = [each for each in hoist(arguments)[len(path.split()) - 1 :] if each[:1] != "-"]
    listed = ", ".join(commands)
    if not after:
        return UsageError(f"{path} needs a command: {listed}", hint=more)
    hint = did_you_mean(after[0], commands, f"there are {listed}", "commands")
    return UsageError(f"{path} has no command “{after[0]}”", hint=hint)
