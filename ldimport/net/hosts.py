"""What is known of each host while fetching."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from ldimport.causes import Cause
from ldimport.errors import Rejected
from ldimport.net.guard import Guard
from ldimport.system import start_thread
from ldimport.url import Url

MAX_KNOWN = 10_000
"""Hosts remembered; an archive names a handful."""
MAX_SECONDS = 20.0
"""How long resolving a name may take."""
KEEP_SECONDS = 10.0
"""How long addresses hold; after that the name is resolved and checked again."""
MAX_KEPT = 1_024

HostPort = tuple[str, int]
"""Host and port."""
Found = tuple[str, ...] | Rejected
"""The addresses to connect to, or why there are none."""
Task = TypeVar("Task")


@dataclass(slots=True, eq=False)
class Host(Generic[Task]):
    """Exchanges under way with a host, and those of them that stall; until when it has a rest
    (clock time), or is not asked since it stalls; how many seconds its next answer may take until
    it does; whether an image was given up since it could not be reached in all its tries.
    Then others get one try: ten thousand images need not wait out the same silence one after
    another. ``proven`` once it has answered, and until it ``stalls``; else it is asked for one
    image at a time beside those that stall. ``waiting`` are its next tasks, ``listed``: its turn
    will come, ``open``: they may begin soon."""

    busy: int = 0
    still: int = 0
    rests_until: float = 0.0
    still_until: float = 0.0
    patience: float = 0.0
    out_of_reach: bool = False
    proven: bool = False
    stalls: bool = False
    open: bool = True
    waiting: deque[Task] = field(default_factory=deque)
    listed: bool = False

    def room(self, most: int) -> bool:
        """Whether one more exchange may begin, of at most so many."""
        return self.busy < most and (self.proven or self.busy == self.still)

    def idle(self) -> None:
        """Nothing is under way, nothing waits."""
        self.busy = self.still = 0
        self.listed, self.open = False, not self.stalls
        self.waiting.clear()


class Hosts(dict[str, Host[Task]]):
    """Hosts by name, made when first asked for; the oldest idle ones are forgotten."""

    def __missing__(self, name: str) -> Host[Task]:
        if len(self) >= MAX_KNOWN:
            for idle in [old for old, host in self.items() if not host.busy and not host.waiting][
                : MAX_KNOWN // 10
            ]:
                del self[idle]
        host = self[name] = Host()
        return host


class Lookups:
    """Answers of ``guard``, each asked for in a thread of its own, so that one slow name server
    holds up nobody else, and kept for a few seconds.

    A thread that hangs in the system's resolver cannot be ended; it is a daemon, so that it does
    not keep the process alive either.
    """

    def __init__(self, guard: Guard, clock: Callable[[], float]) -> None:
        self._guard = guard
        self._clock = clock
        self._kept: dict[HostPort, tuple[float, Found]] = {}
        self._asked: dict[HostPort, float] = {}
        self._answers: SimpleQueue[tuple[HostPort, Found]] = SimpleQueue()

    def __len__(self) -> int:
        """Names being resolved now."""
        return len(self._asked)

    def known(self, url: Url) -> Found | None:
        """What is known of the host of ``url`` without asking; None if it must be asked."""
        place = (url.host, url.port)
        kept = self._kept.get(place)
        if kept is not None and kept[0] > self._clock():
            return kept[1]
        if not url.literal:
            return None
        try:
            return self._guard.addresses(url)
        except Rejected as rejected:
            return rejected

    def ask(self, url: Url) -> None:
        """Begin to resolve the host of ``url``, unless that is under way."""
        place = (url.host, url.port)
        if place not in self._asked:
            self._asked[place] = self._clock() + MAX_SECONDS
            start_thread(self._answer, place, url)

    def answers(self, seconds: float) -> Iterator[tuple[HostPort, Found]]:
        """All answers that have come in, and a refusal for names that took too long; waits up to
        ``seconds`` for the first."""
        try:
            place, found = self._answers.get(seconds > 0, seconds)
            while True:
                self._asked.pop(place, None)
                if isinstance(found, tuple) or not found.retryable:  # else a second try asks again
                    if len(self._kept) >= MAX_KEPT:
                        del self._kept[next(iter(self._kept))]
                    self._kept[place] = (self._clock() + KEEP_SECONDS, found)
                yield place, found
                place, found = self._answers.get_nowait()
        except Empty:
            yield from self._overdue()

    def _overdue(self) -> Iterator[tuple[HostPort, Found]]:
        now = self._clock()
        for place in [place for place, end in self._asked.items() if end <= now]:
            del self._asked[place]
            yield place, unresolved(place[0])

    def _answer(self, place: HostPort, url: Url) -> None:
        found: Found = unresolved(url.host)
        try:
            found = self._guard.addresses(url)
        except Rejected as rejected:
            found = rejected
        finally:  # also when a resolver breaks: whoever waits must hear of it
            self._answers.put((place, found))


def unresolved(host: str) -> Rejected:
    """The refusal of a name for which no answer came in time."""
    return Rejected(Cause.DNS, f"the name {host} could not be resolved (DNS)")
