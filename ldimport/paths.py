"""Paths that a stranger wrote: they stay below their folder, or lead nowhere."""

from pathlib import Path
from urllib.parse import unquote

from ldimport.causes import Cause
from ldimport.errors import Rejected


def locate_below(root: Path, relative: str) -> Path:
    """The file that ``relative`` (a path with ``/``, perhaps percent-encoded) names below
    ``root``, symbolic links resolved. Raises Rejected ``outside-folder`` or ``no-such-file``."""
    base = root.resolve()
    for text in dict.fromkeys((relative, unquote(relative))):
        if "\0" in text:
            raise Rejected(Cause.NO_SUCH_FILE, "no such file: the path holds a NUL character")
        try:
            path = (base / text).resolve()
            outside = not path.is_relative_to(base)
            exists = path.exists()
        except (OSError, RuntimeError) as error:  # name too long, a loop of links
            raise Rejected(Cause.NO_SUCH_FILE, f"no such file: {relative}") from error
        if outside:
            raise Rejected(
                Cause.OUTSIDE_FOLDER, f"{relative} leads out of the folder of the manifest"
            )
        if exists:
            return path
    raise Rejected(Cause.NO_SUCH_FILE, f"no such file: {relative}")
