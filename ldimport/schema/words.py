"""What the words of a row's own fields mean: media types by handle, by label, or as the user
translates them; ids, urls and file names as the user translates them."""

from collections.abc import Mapping
from typing import Any

from ldimport.cells import Writing
from ldimport.model import Entry
from ldimport.schema.config import ProjectConfig
from ldimport.schema.options import Options

_ATTRIBUTES = {"id": "id", "url": "url", "fileName": "file_name"}


class Words:
    """By the project's media types, and by what ``writings`` translate. ``translates``: whether an
    id, url or fileName may mean another one."""

    def __init__(self, config: ProjectConfig, writings: Mapping[str, Writing]) -> None:
        self._config = config
        self.kinds = Options((each.handle, each.labels) for each in config.media_types.values())
        self._kinds = writings.get("mediaType", Writing()).values
        self._others = {
            attribute: writings[name].values
            for name, attribute in _ATTRIBUTES.items()
            if name in writings and writings[name].values
        }
        self.translates = bool(self._others)

    def kind(self, word: str | None) -> str:
        """The media type that a row's word for it means; the word itself where it means none, the
        project's default where there is none."""
        meant = self._kinds.get(word.strip(), word) if word else ""
        if meant in self._config.media_types or not meant:
            return meant or self._config.default_media_type
        return str(self.kinds.find(meant) or meant)

    def translated(self, entry: Entry) -> Entry:
        """With what its id, url and fileName mean."""
        texts = {each: getattr(entry, each) or "" for each in self._others}
        meant: dict[str, Any] = {
            each: self._others[each].get(text.strip(), text) for each, text in texts.items()
        }
        return entry._replace(**meant) if meant else entry
