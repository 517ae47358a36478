"""A user who agrees to what a project file says."""

import json
from pathlib import Path

from ldimport.settings import UserFolders
from ldimport.settings.files import read_agreeable


def agree(home: Path, path: Path) -> None:
    """As ``TrustedFiles.add`` does, but not durably: property tests do it thousands of times."""
    trusted = UserFolders.of(home).trusted
    found = {**trusted.all(), str(path.resolve()): read_agreeable(path, home)}
    trusted.path.write_text(json.dumps(found))
