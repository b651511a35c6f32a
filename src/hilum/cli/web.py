"""hilum web: the web process, a part of `serve`."""

import logging

from hilum.cli.configuring import BehindProxy, Config, Data, configure


def run(data: Data = None, config: Config = None, behind_proxy: BehindProxy = False) -> None:
    """Serve API and pages until told to stop. A part of `hilum serve`, which starts it."""
    from hilum.api.serving import serve_web
    from hilum.runtime.assembling import assemble
    from hilum.runtime.signalling import Waker
    from hilum.runtime.supervised import end_with_supervisor, report_ready, take_socket

    end_with_supervisor()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    app = assemble(configure(data, config, behind_proxy=behind_proxy or None), wake=Waker.from_environment().wake)
    try:
        serve_web(app, take_socket("http"), ready=report_ready)
    finally:
        app.close()
