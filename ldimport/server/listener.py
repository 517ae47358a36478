"""The socket a server listens on, and how its address is written."""

from __future__ import annotations

import errno
import os
import socket
import sys
from ipaddress import ip_address

from ldimport.errors import ConfigError

BACKLOG = 512


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; ``port`` 0 takes any free one. Raises ConfigError that names the way
    out when the port is taken or the address is not of this machine."""
    try:
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_ADDRCONFIG
        )
    except (OSError, UnicodeError) as error:
        raise _no_address(host) from error
    family, kind, protocol, _, place = found[0]
    made = socket.socket(family, kind, protocol)
    try:
        if sys.platform != "win32":  # there it would let two servers share a port
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(place)
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        raise _refused(error, host, port) from error
    made.setblocking(False)
    return made


def url_of(made: socket.socket) -> str:
    """The address to reach a listening socket at, from this machine if it listens everywhere."""
    host, port = made.getsockname()[:2]
    address = ip_address(host.partition("%")[0])
    if address.is_unspecified:
        host = "127.0.0.1" if address.version == 4 else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _refused(error: OSError, host: str, port: int) -> ConfigError:
    if error.errno == errno.EADDRNOTAVAIL:
        return _no_address(host)
    if error.errno == errno.EADDRINUSE:
        text, code = f"Port {port} is taken", "port-taken"
        hint: str | None = "ldimport serve --port 0   any free port"
    elif error.errno == errno.EACCES:
        text, code = f"Port {port} may not be used by you", "port-reserved"
        hint = "ldimport serve --port 9095   ports below 1024 are reserved"
    else:
        why = error.strerror or os.strerror(error.errno or 0)
        text, code, hint = f"{host} port {port} cannot be listened on: {why}", "no-port", None
    return ConfigError(text, hint=hint, code=code)


def _no_address(host: str) -> ConfigError:
    return ConfigError(
        f"{host} is no address of this machine",
        hint="ldimport serve --host 127.0.0.1   or 0.0.0.0 for all of its addresses",
        code="bad-host",
    )
