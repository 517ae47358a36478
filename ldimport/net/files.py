"""Local files as a source of images: regular files below a folder that was allowed, no others."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from ldimport.causes import Cause
from ldimport.errors import Rejected, over_bytes
from ldimport.local_names import locate_below
from ldimport.system import scarce

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | _NO_LINK
_BY_STEPS = os.open in os.supports_dir_fd


def read_below(roots: Sequence[str], relative: str, max_bytes: int) -> bytes:
    """The bytes of the first file that ``relative`` names below one of ``roots``. Raises Rejected:
    ``no-such-file``, ``outside-folder``, ``not-a-file`` (folder, pipe, device), ``not-readable``,
    ``too-many-bytes``."""
    root, path = _locate(roots, relative)
    try:
        _check(path.lstat(), relative, max_bytes)  # before opening: a device may act when opened
        descriptor = _open(root, path)
    except OSError as error:
        raise _unreadable(relative, error) from error
    with os.fdopen(descriptor, "rb") as file:
        _check(os.fstat(file.fileno()), relative, max_bytes)
        try:
            body = file.read(max_bytes + 1)
        except OSError as error:
            raise _unreadable(relative, error) from error
    if len(body) > max_bytes:  # it grew while it was read
        raise over_bytes(f"{len(body):,} bytes", max_bytes)
    return body


def _locate(roots: Sequence[str], relative: str) -> tuple[Path, Path]:
    refused: Rejected | None = None
    for root in roots:
        try:
            return Path(root).resolve(), locate_below(Path(root), relative)
        except Rejected as error:
            if refused is None or error.why.cause is Cause.OUTSIDE_FOLDER:
                refused = error
    if refused is not None:
        raise refused
    text = f"local files are not allowed here: {relative} is neither an http nor an https URL"
    raise Rejected(Cause.OUTSIDE_FOLDER, text)


def _open(root: Path, path: Path) -> int:
    """Open ``path`` without following any link below ``root``: a folder that somebody swaps for
    a link after the check leads nowhere."""
    if not _BY_STEPS:
        return os.open(path, _FLAGS | _NO_LINK)
    *folders, name = path.relative_to(root).parts
    at = os.open(root, _FOLDER)
    try:
        for folder in folders:
            inner = os.open(folder, _FOLDER, dir_fd=at)
            os.close(at)
            at = inner
        return os.open(name, _FLAGS | _NO_LINK, dir_fd=at)
    finally:
        os.close(at)


def _check(found: os.stat_result, relative: str, max_bytes: int) -> None:
    if not stat.S_ISREG(found.st_mode):
        kinds = {stat.S_IFDIR: "a folder", stat.S_IFLNK: "a link"}
        kind = kinds.get(stat.S_IFMT(found.st_mode), "a pipe, socket or device")
        raise Rejected(Cause.NOT_A_FILE, f"{relative} is {kind}, not a file")
    if found.st_size > max_bytes:
        raise over_bytes(f"{found.st_size:,} bytes", max_bytes)


def _unreadable(relative: str, error: OSError) -> Exception:
    if isinstance(error, FileNotFoundError):
        return Rejected(Cause.NO_SUCH_FILE, f"no such file: {relative}")
    why = error.strerror or str(error)
    return scarce(error) or Rejected(Cause.NOT_READABLE, f"{relative} cannot be read: {why}")
