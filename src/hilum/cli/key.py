"""hilum key: the secrets that pseudonyms are made with, in the `keys` of the data directory or HILUM_KEYS_DIR."""

from typing import TYPE_CHECKING, Annotated

import typer

from hilum.cli import make_group
from hilum.cli.configuring import Config, Data, configure
from hilum.cli.telling import print_columns, printable, say

if TYPE_CHECKING:
    from hilum.stores.keys import KeyFiles

commands = make_group("Make and list the keys that pseudonyms are made with.")

Project = Annotated[str, typer.Argument(help="Whose key.")]


@commands.command()
def create(project: Project, data: Data = None, config: Config = None) -> None:
    """Make a project's first key. Copy the file to a safe place: without it nothing can be undone or continued."""
    made = _files(data, config).create(project)
    say(printable(f"Project {project} has its first key, {made.id}."))


@commands.command()
def rotate(project: Project, data: Data = None, config: Config = None) -> None:
    """Make another key; patients get other pseudonyms from now on, and earlier keys stay for the way back."""
    made = _files(data, config).rotate(project)
    say(printable(f"Project {project} works with key {made.id} from now on."))


@commands.command("list")
def list_keys(project: Project, data: Data = None, config: Config = None) -> None:
    """List the ids of a project's keys; the last one is worked with."""
    print_columns(("key",), [(key.id,) for key in _files(data, config).find(project)])


def _files(data: Data, config: Config) -> "KeyFiles":
    from hilum.runtime.keys import open_keys

    return open_keys(configure(data, config))
