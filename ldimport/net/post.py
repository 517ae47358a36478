"""One POST alone, for webhooks."""

import time
from collections.abc import Mapping

import pycurl

from ldimport.errors import Rejected
from ldimport.net.certificates import trusted_roots
from ldimport.net.exchange import Answer, Exchange, OpenSocket
from ldimport.net.guard import CheckedAddress, Guard
from ldimport.net.hosts import Lookups, unresolved


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    guard: Guard,
    timeout: float,
    *,
    ca_file: str | None = None,
    open_socket: OpenSocket | None = None,
) -> Answer:
    """POST ``body`` once, with ``timeout`` seconds to find the name and as many from connect to
    last byte; a redirect is an answer like any other, the first 64 kB of its body are kept. Raises
    Rejected when there is no answer, ValueError for a header that breaks its line, ConfigError for
    a ``ca_file`` that cannot be used."""
    lines = [_line(name, value) for name, value in headers.items()]
    headers_always = ["Accept: */*", "Expect:", *lines]
    roots = trusted_roots(ca_file)
    exchange = Exchange(roots=roots, headers=headers_always, open_socket=open_socket)
    try:
        checked = _checked(url, guard, timeout)
        exchange.curl.setopt(pycurl.POST, 1)
        exchange.curl.setopt(pycurl.POSTFIELDS, body)
        exchange.begin(checked, timeout)
        return exchange.perform()
    finally:
        exchange.close()


def _checked(url: str, guard: Guard, timeout: float) -> CheckedAddress:
    """Read and resolve ``url``; a resolver that hangs is not waited for."""
    parsed = guard.parse(url)
    lookups = Lookups(guard, time.monotonic)
    lookups.ask(parsed)
    found = next((one for _, one in lookups.answers(timeout)), unresolved(parsed.host))
    if isinstance(found, Rejected):
        raise found
    return guard.checked(parsed, found)


def _line(name: str, value: str) -> str:
    line = f"{name}: {value}"
    if not line.isascii() or not line.isprintable():
        raise ValueError(f"the header {name!r} holds something else than printable ASCII")
    return line
