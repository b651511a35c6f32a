"""hilum dimse: a DIMSE process, a part of `serve`."""

import sys

from hilum.cli.configuring import Config, Data, configure


def run(data: Data = None, config: Config = None) -> None:
    """Take associations until told to stop. A part of `hilum serve`, which starts it."""
    from hilum.runtime.assembling import assemble
    from hilum.runtime.logging_behind import log_behind
    from hilum.runtime.serving_dimse import serve_dimse
    from hilum.runtime.signalling import Waker
    from hilum.runtime.supervised import end_with_supervisor, report_ready, take_socket

    end_with_supervisor()
    log_behind(sys.stderr)
    app = assemble(configure(data, config), wake=Waker.from_environment().wake)
    try:
        serve_dimse(app, take_socket("dimse"), ready=report_ready)
    finally:
        app.close()
