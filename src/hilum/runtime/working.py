"""A worker process: runs stages until it is told to stop, and keeps house where it has the lock."""

import os
import signal
import socket
from collections.abc import Callable

from hilum.runtime.assembling import assemble, make_worker
from hilum.runtime.housekeeping import Housekeeping
from hilum.runtime.picturing import Picturing
from hilum.runtime.settings import Settings
from hilum.runtime.stepping import Stop
from hilum.runtime.tending import tended_pool


def work(settings: Settings, *, wake: Callable[[], None], wait: Callable[[float], object], on_ready: Callable[[], None]) -> None:
    """Work until SIGTERM or SIGINT.

    Args:
        wake: tells other workers that something is ready.
        wait: waits for such a sign, at most so many seconds.
        on_ready: called when the first item can be claimed.
    """
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.ask())
    app = assemble(settings, wake=wake)
    housekeeping, picturing = Housekeeping(app), Picturing(app)
    try:
        with tended_pool(app, "deidentified") as deidentified, tended_pool(app, "results") as results:
            worker = make_worker(app, f"{socket.gethostname()}:{os.getpid()}", stop, wait, deidentified, results)
            housekeeping.start()
            picturing.start()
            on_ready()
            worker.run()
    finally:
        picturing.stop()
        housekeeping.stop()
        app.close()
