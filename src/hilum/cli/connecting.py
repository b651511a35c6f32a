"""How client commands find their server and their token."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hilum.model.errors import HilumError

if TYPE_CHECKING:
    from hilum_sdk import Hilum
    from hilum_sdk.models import Study

Server = Annotated[str, typer.Option("--server", envvar="HILUM_SERVER", help="Address of the server.")]
Data = Annotated[Path, typer.Option("--data", envvar="HILUM_DATA", help="The server's data directory, for its `credentials` file.")]
Json = Annotated[bool, typer.Option("--json", help="Print facts as JSON.")]
Reason = Annotated[str, typer.Option("--reason", help="Kept in the history.")]

DEFAULT_SERVER = "http://127.0.0.1:8080"
DEFAULT_DATA = Path("hilum-data")
QUICK_SECONDS = 5.0  # how long a command that only asks tries to reach its server


def connect(server: str, data: Path, *, retry_for: float = QUICK_SECONDS) -> "Hilum":
    """A client, with the token of HILUM_TOKEN or of the data directory."""
    from hilum_sdk import Hilum

    return Hilum(server, token=find_token(data), retry_for=retry_for)


def find_token(data: Path) -> str:
    """The caller's token.

    Raises:
        HilumError: there is none, or it cannot be read.
    """
    for variable in ("HILUM_TOKEN", "HILUM_ADMIN_TOKEN"):
        if token := os.environ.get(variable):
            return token
    try:
        return (data / "credentials").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        raise HilumError("There is no token.", "Set HILUM_TOKEN, or name the server's data directory with --data.") from None
    except PermissionError:
        raise HilumError(
            f"This user may not read {data / 'credentials'}.", "Set HILUM_TOKEN to a token of your own (`hilum token create`)."
        ) from None


def existing(path: Path) -> Path:
    """The path, or the nearest one above it that exists."""
    place = path.absolute()
    while not place.exists():
        place = place.parent
    return place


def find_study(hilum: "Hilum", named: str) -> "Study":
    """A study by its id, its Study Instance UID or its accession number.

    Raises:
        HilumError: there is none, or several have the accession number.
    """
    from hilum_sdk import NotFoundError

    try:
        return hilum.studies.get(named)
    except NotFoundError:
        found = list(hilum.studies.search(accession_number=named))
    if not found:
        raise HilumError(f"There is no study {named}.", "Name its id, its Study Instance UID or its accession number.")
    if len(found) > 1:
        raise HilumError(f"{len(found)} studies have the accession number {named}.", f"Name one: {', '.join(one.id for one in found)}.")
    return found[0]
