"""hilum backup: a copy of the ledger as it is at one moment."""

from pathlib import Path
from typing import Annotated

import typer

from hilum.cli.configuring import Config, Data, configure
from hilum.cli.connecting import Json
from hilum.cli.telling import print_json, printable, say

Out = Annotated[Path, typer.Argument(help="The file to write; it must not be there yet.")]


def run(out: Out, data: Data = None, config: Config = None, json: Json = False) -> None:
    """Copy the ledger while the server runs. Packs are plain files: copy them as such."""
    from hilum.runtime.backing_up import back_up

    settings = configure(data, config)
    size = back_up(settings, out)
    if json:
        print_json({"ledger": str(out), "size": size, "packs": str(settings.packs)})
    else:
        say(printable(f"{out} is the ledger as it is now, {size} bytes. The images are in {settings.packs}: copy that folder too."))
