"""From the old address of an image to the new one, in a form that web servers take as it stands.

Both are put into the plain form of ``url.parse``: ASCII, everything unusual percent-encoded, so
that no quote, backslash, blank, brace or line break is left that a configuration could obey.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from ldimport.errors import Rejected
from ldimport.migration.model import ResultRow
from ldimport.model import Status
from ldimport.url import parse


class LeftOut(StrEnum):
    """Why an image has no redirect."""

    NOT_THERE = "not at the target"
    LOCAL = "not from the web"
    NO_ADDRESS = "without a usable address"
    SAME = "already at its new address"
    TOO_LONG = "too long for the web server"


@dataclass(frozen=True, slots=True)
class Redirect:
    """One of them: ``key`` is host, path and query of the old address as browsers ask for it,
    ``source`` the old address as it stands in the manifest, ``goal`` the new one."""

    key: str
    source: str
    goal: str
    external_id: str


def redirect_of(row: ResultRow) -> Redirect | LeftOut:
    """The redirect of one image, or why it has none."""
    if row.status not in (Status.SUCCESS, Status.SKIPPED) or not row.url:
        return LeftOut.NOT_THERE
    if not row.source_url.lower().startswith(("http:", "https:")):
        return LeftOut.LOCAL
    try:
        source, goal = parse(row.source_url), parse(row.url)
    except Rejected:
        return LeftOut.NO_ADDRESS
    if source.text == goal.text:
        return LeftOut.SAME
    host = f"[{source.host}]" if ":" in source.host else source.host
    return Redirect(f"{host}{source.rest}", row.source_url, goal.text, row.external_id)


class WebServer(StrEnum):
    """For whom redirects are written; ``csv`` for any other."""

    NGINX = "nginx"
    APACHE = "apache"
    CSV = "csv"

    @property
    def longest(self) -> int:
        """Characters that a line may have: nginx reads its configuration by 4,096 bytes, Apache a
        map by lines of 1,024 (``REWRITE_MAX_TXT_MAP_LINE``)."""
        return {WebServer.NGINX: 3_900, WebServer.APACHE: 1_000}.get(self, 1 << 30)

    def takes(self, redirect: Redirect) -> bool:
        """Whether it is not too long."""
        return len(redirect.key) + len(redirect.goal) + 40 <= self.longest


_NGINX = """\
# Redirects from the old address of each image to its new one, made by ldimport.
# In nginx.conf, inside of http {{ }}:           include {name};
# in each server {{ }} of an old host:
#   if ($ldimport_redirect) {{ return 301 $ldimport_redirect; }}
map_hash_max_size {size};
map_hash_bucket_size {bucket};
map $host$request_uri $ldimport_redirect {{
"""
_APACHE = """\
# Redirects from the old address of each image to its new one, made by ldimport.
# The server's user has to be able to read it. In the VirtualHost of each old host, with mod_rewrite
# (before Apache 2.4.60 without UnsafeAllow3F):
#   RewriteEngine On
#   AllowEncodedSlashes NoDecode
#   RewriteMap ldimport "txt:/path/to/{name}"
#   RewriteCond "%{{THE_REQUEST}}" "^[A-Z]+ (/[^ ]*)"
#   RewriteCond "${{ldimport:%{{SERVER_NAME}}%1}}" "^(https?://.+)$"
#   RewriteRule "^" "%1" [R=301,L,NE,QSD,UnsafeAllow3F]
# Of tens of thousands make a faster one, httxt2dbm -i {name} -o map.dbm, for "dbm:/path/to/map.dbm"
"""


def nginx(
    redirects: Iterable[tuple[Redirect, bool]], count: int, longest: int, name: str
) -> Iterator[str]:
    """Lines of a file to include. A ``map`` minds no case, and refuses two keys that differ in it
    alone: those are regular expressions, which do. A value knows no escape for a dollar."""
    size, bucket = _power(4 * count + 2_048), _power(longest + 64)
    yield _NGINX.format(name=name, size=size, bucket=max(128, bucket))
    for each, twice in redirects:
        key = f"~^{_expression(each.key)}$" if twice else each.key
        yield f'  "{key}" "{each.goal.replace("$", "%24")}";\n'
    yield "}\n"


def apache(redirects: Iterable[tuple[Redirect, bool]], name: str) -> Iterator[str]:
    """Lines of a text for ``RewriteMap``."""
    yield _APACHE.format(name=name)
    for each, _ in redirects:
        yield f"{each.key} {each.goal}\n"


def _expression(text: str) -> str:
    """A regular expression for exactly this text, without backslashes but for ``^``."""
    return "".join(
        r"\^" if sign == "^" else f"[{sign}]" if sign in ".$*+?()[|" else sign for sign in text
    )


def _power(least: int) -> int:
    return 1 << (least - 1).bit_length()
