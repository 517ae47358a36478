"""What is in force: flag, environment, project file, user file, ``.livingdocs-cli``, default.

Nothing is read but what is handed in and the files it leads to; tokens are read on first use.
"""

from ldimport.credentials import Secret
from ldimport.settings.checking import check
from ldimport.settings.loading import (
    SettingRow,
    Settings,
    UserFolders,
    describe,
    load,
    project_file,
)
from ldimport.settings.trust import UntrustedError
from ldimport.settings.values import EMBEDDED

__all__ = [
    "EMBEDDED", "Secret", "SettingRow", "Settings", "UntrustedError", "UserFolders",
    "check", "describe", "load", "project_file",
]  # fmt: skip
