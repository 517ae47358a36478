"""The pages alone, over an engine that is only looked at and the archives of a state file."""

import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from ldimport.engine import Engine
from ldimport.engine.store import exists
from ldimport.server.app import application
from ldimport.server.contract import Listening, OnEvent, ServeOptions
from ldimport.server.endpoint import Backend
from ldimport.server.pages.site import Site
from ldimport.server.pages.view import ArchiveSource
from ldimport.server.run import minding_signals, one_at_a_time
from ldimport.server.server import LOOK, UntilStopped, beside, listen, room, url_of


def run_viewer(options: ServeOptions, archives: ArchiveSource, on_event: OnEvent) -> None:
    """Show pages until a signal, then raise KeyboardInterrupt or Terminated once all has ended in
    order. ``on_event`` hears events one at a time. Raises ConfigError when the port is taken,
    TemporaryError where too few files may be open, StateFileError for an engine folder that cannot
    be read."""
    viewer = Viewer(options, archives)
    with one_at_a_time(on_event, viewer.stop) as tell, minding_signals(viewer.stop):
        viewer.serve(tell)


class Viewer(UntilStopped):
    """Shows pages. Where there is no engine yet an empty one is shown, until there is."""

    def __init__(self, options: ServeOptions, archives: ArchiveSource) -> None:
        super().__init__()
        self._options, self._archives = options, archives

    def serve(self, on_event: OnEvent) -> None:
        """Show pages until ``stop``; ``on_event`` hears what happens."""
        options, most = self._options, room(self._options.connections)
        with ExitStack() as ends:
            made = ends.enter_context(listen(options.host, options.port, "ui"))
            there = exists(options.engine)
            opened = partial(Engine, options.engine, public_url=url_of(made), write=False)
            backend = Backend(ends.enter_context(opened() if there else _empty()), options)
            ends.callback(backend.close)
            if not there:
                ends.enter_context(beside(partial(_show_once_made, backend, opened), self.stop))
            site = Site(backend, self._archives)
            ends.callback(site.close)
            app = application(backend, site, on_event, only_images=True)
            on_event(Listening(url_of(made), made.getsockname()[1]))
            self._run(app, options, most, made)


def _show_once_made(backend: Backend, opened: Callable[[], Engine], told: threading.Event) -> None:
    """Show the engine of the folder once somebody has made it, until told to end."""
    while not told.wait(LOOK):
        if exists(backend.options.engine):
            with opened() as backend.engine:
                told.wait()


@contextmanager
def _empty() -> Iterator[Engine]:
    with tempfile.TemporaryDirectory(prefix="ldimport-") as scratch, Engine(scratch) as engine:
        yield engine
