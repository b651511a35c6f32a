"""hilum prepare: what `serve` does before its children start."""

from hilum.cli.configuring import Config, Data, configure


def run(data: Data = None, config: Config = None) -> None:
    """Bring a data directory up to date: schema, packs that a kill left open, the first start's credentials.

    `hilum serve` does this by itself, holding the directory's lock.
    """
    from hilum.runtime.preparing import prepare

    prepare(configure(data, config))
