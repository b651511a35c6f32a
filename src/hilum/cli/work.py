"""hilum work: one worker process, a part of `serve`."""

import logging

from hilum.cli.configuring import Config, Data, configure

_NICENESS = 5  # whoever sends, or looks at a page, goes before what is done in the background


def run(data: Data = None, config: Config = None) -> None:
    """Run stages until told to stop. A part of `hilum serve`, which starts it."""
    from hilum.runtime.signalling import Waker
    from hilum.runtime.supervised import end_with_supervisor, report_ready, stand_back
    from hilum.runtime.working import work

    end_with_supervisor()
    stand_back(_NICENESS)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    waker = Waker.from_environment()
    work(configure(data, config), wake=waker.wake, wait=waker.wait, on_ready=report_ready)
