"""The address of a Livingdocs server: read, brought into one form, compared.

A base URL may carry a path (the editor exposes the API below ``/proxy/api``), so a version path
is appended to it and never replaces it (livingdocs.md 1.1).
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from ldimport.wire import is_http_url

VERSION = re.compile(r"v[0-9]{1,3}|20[0-9]{2}-(0[1-9]|1[0-2])")
"""API versions: ``v1``, or dated like the releases (``2025-03``)."""

_PASTED = re.compile(r"/api/(v[0-9]+|beta|20[0-9]{2}-[0-9]{2})(/|$)")
_PORTS = {"http": 80, "https": 443}


def base_url(text: str) -> str:
    """One form for every spelling of the same base URL: no slash at the end, host in lower
    case, no default port. Raises ValueError that says what is wrong, without quoting secrets."""
    if not is_http_url(text):
        raise ValueError("must be an http or https URL such as https://server.livingdocs.io")
    parts = urlsplit(text)
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not contain a user name or password")
    if parts.query or parts.fragment or text.endswith(("?", "#")):
        raise ValueError("must not contain a ? or # part")
    if _PASTED.search(parts.path):
        raise ValueError("must be given without the /api/<version> part, which is added to it")
    return f"{parts.scheme}://{_host_and_port(parts)}{parts.path.rstrip('/')}"


def endpoint(base: str, version: str, path: str) -> str:
    """The full URL of ``path`` (``import/images``) at an API version."""
    return f"{base}/api/{version}/{path}"


def host(url: str) -> str:
    """Host and, where it is not the scheme's own, port: how screens name a server."""
    return _host_and_port(urlsplit(url))


def is_loopback(url: str) -> bool:
    """Whether the host is this machine, by name or literal address; nothing is resolved."""
    name = urlsplit(url).hostname or ""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def without_secrets(url: str) -> str:
    """``url`` for screens: user name, password and query are where secrets hide."""
    try:
        parts = urlsplit(url)
        shown = f"{parts.scheme}://{_host_and_port(parts)}{parts.path}"
    except ValueError:
        return "(not a URL)"
    return f"{shown}?…" if parts.query else shown


def _host_and_port(parts: SplitResult) -> str:
    name = (parts.hostname or "").lower()
    if ":" in name:
        name = f"[{name}]"
    default = parts.port is None or parts.port == _PORTS.get(parts.scheme)
    return name if default else f"{name}:{parts.port}"
