"""What a browser shows, be it served or a file: the environment of all templates, with the words
and numbers that screens have, and with bars. Outside text is escaped, and cleaned by ``clean``."""

from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ldimport import wording


@cache
def environment() -> Environment:
    """The one environment; templates lie in ``templates``, and a name that is not there is an
    error."""
    made = Environment(
        loader=PackageLoader(__name__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "number": wording.number,
        "counted": wording.counted,
        "percent": wording.percent,
        "duration": wording.duration,
        "size": wording.size,
        "utc": wording.utc,
        "clock": wording.clock,
        "clean": wording.clean,
    }
    return made


def render(template: str, **values: Any) -> str:
    """A page of ``templates``."""
    return environment().get_template(template).render(**values)


def styles(name: str = "look.css") -> str:
    """A style sheet, by default that of pages and report: light and dark, narrow and on paper."""
    return files(__name__).joinpath(name).read_text("utf-8")


def static(name: str) -> bytes:
    """A file of ``static``, which pages refer to. Raises FileNotFoundError."""
    return files(__name__).joinpath("static", name).read_bytes()
