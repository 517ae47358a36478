"""A power cut: what a disk holds when, of all that a run did to it, only what it synced is sure.

A run is recorded once by ``faulty_disk.c``; any moment of it can be brought back afterwards. As
POSIX has it, bytes are sure once their file was synced, a name once its folder was. Disks keep
more than that, and none that we know keeps less; what more they keep is one of ``KEEPS``.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

_HEAD = struct.Struct("=cQQQI")
KEEPS = ("nothing", "names", "some")
"""Of what was not synced a disk keeps: nothing, all names but no bytes (as a journalling file
system may), or some of the calls whatever their order. (Or "everything": no cut at all.)"""


@dataclass(frozen=True)
class Call:
    """One call that changed something. ``of`` is the thing whose sync makes it sure: a file for
    bytes, the folder for names. Things are numbered, since inodes are used again."""

    kind: str
    of: int
    thing: int = 0
    at: int = 0
    data: bytes = b""

    @property
    def name(self) -> str:
        return self.data.decode()


@dataclass
class _Node:
    body: bytearray = field(default_factory=bytearray)
    names: dict[str, int] = field(default_factory=dict)
    folder: bool = False


class Recording:
    """The calls of a run below ``disk``, which was as ``before`` says (see ``standing``)."""

    def __init__(self, journal: Path, disk: Path, before: dict[int, tuple[int, str]]) -> None:
        self._things = {inode: inode for inode in (disk.stat().st_ino, *before)}
        self._root = disk.stat().st_ino
        self._before = before
        self.calls = list(self._read(journal.read_bytes()))
        self._synced = [n for n, call in enumerate(self.calls) if call.kind == "S"]

    @property
    def moments(self) -> list[int]:
        """The last moment before each sync, and the end: between two of them what is sure does not
        change, and the later one has told more to the user."""
        return [*self._synced, len(self.calls)]

    def said(self, moment: int) -> str:
        """What the user has read by then."""
        return b"".join(c.data for c in self.calls[:moment] if c.kind == "O").decode()

    def restore(self, moment: int, keeps: str, to: Path) -> int:
        """Write into ``to`` what of ``data`` the disk holds after a cut at ``moment``; returns how
        many calls were lost."""
        chance = random.Random(moment)
        rule: Callable[[Call], bool] = {
            "nothing": lambda call: False,
            "names": lambda call: call.kind in "CDLU",
            "some": lambda call: chance.random() < 0.5,
            "everything": lambda call: True,
        }[keeps]
        tree, lost = self._standing(), 0
        last = {self.calls[n].of: n for n in self._synced if n < moment}
        kept = False
        for n, call in enumerate(self.calls[:moment]):
            if call.kind in "SO":
                continue
            unsure = last.get(call.of, -1) < n
            tied = call.kind == "U" and bool(call.thing)  # the other half of a renaming
            kept = kept if tied and unsure and keeps == "some" else not unsure or rule(call)
            lost += not kept
            if kept:
                _apply(tree, call)
        _write_out(tree, tree[self._root].names["data"], to / "data")
        return lost

    def _standing(self) -> dict[int, _Node]:
        tree = {self._root: _Node(folder=True)}
        for inode, (parent, name) in self._before.items():
            tree[inode] = _Node(folder=True)
            tree[parent].names[name] = inode
        return tree

    def _read(self, raw: bytes) -> Iterator[Call]:
        at, things = 0, self._things
        while at < len(raw):
            kind, a, b, _, size = _HEAD.unpack_from(raw, at)
            data = raw[at + _HEAD.size : at + _HEAD.size + size]
            at += _HEAD.size + size
            word = kind.decode()
            if word in "CD":  # a new thing, whatever had its inode before
                things[b] = (1 << 64) + at
            if word in "CDLU":
                yield Call(word, things.get(a, 0), things.get(b, b) if word != "U" else b, 0, data)
            elif word == "O":
                yield Call(word, 0, data=data)
            else:
                yield Call(word, things[a], at=b, data=data)


def standing(disk: Path) -> dict[int, tuple[int, str]]:
    """The folders that are there before a run, and on the disk: inode -> its folder's, name."""
    return {
        path.stat().st_ino: (path.parent.stat().st_ino, path.name)
        for path in sorted(disk.rglob("*"))
    }


def _apply(tree: dict[int, _Node], call: Call) -> None:
    if call.kind in "WT":
        body = tree.setdefault(call.of, _Node()).body
        end = call.at + len(call.data)
        if call.kind == "T":
            del body[call.at :]
        body.extend(bytes(max(0, end - len(body))))
        body[call.at : end] = call.data
        return
    folder = tree.setdefault(call.of, _Node(folder=True))
    if call.kind == "U":
        folder.names.pop(call.name, None)
        return
    tree.setdefault(call.thing, _Node()).folder |= call.kind == "D"
    folder.names[call.name] = call.thing


def _write_out(tree: dict[int, _Node], thing: int, to: Path) -> None:
    to.mkdir(mode=0o700, parents=True)
    for name, inner in tree[thing].names.items():
        node = tree[inner]
        if node.folder:
            _write_out(tree, inner, to / name)
        elif not name.endswith("-shm"):  # memory that processes share, never more than that
            (to / name).write_bytes(node.body)
            (to / name).chmod(0o600)
