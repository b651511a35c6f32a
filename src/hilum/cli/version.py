"""hilum version."""

from hilum.cli.connecting import Json
from hilum.cli.telling import print_json, say


def run(json: Json = False) -> None:
    """Print the version."""
    from hilum import __version__

    if json:
        print_json({"version": __version__})
    else:
        say(__version__)
