"""What is in force: flag, environment, project file, user file, ``.livingdocs-cli``, default.

Nothing is read but what is handed in and the files it leads to; tokens are read on first use.
"""

from ldimport.credentials import Secret
from ldimport.settings.checking import check
from ldimport.settings.loading import SettingRow, Settings, describe, load
from ldimport.settings.values import EMBEDDED

__all__ = ["EMBEDDED", "Secret", "SettingRow", "Settings", "check", "describe", "load"]
