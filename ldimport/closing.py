"""What has to be closed."""

from typing import Self


class Closing:
    """Something that is a context manager, and closed at the end of it."""

    def close(self) -> None:
        """Give back what it holds."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
