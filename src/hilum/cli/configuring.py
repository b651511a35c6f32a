"""How server commands find their settings."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hilum.runtime.settings import Settings

Data = Annotated[Path | None, typer.Option("--data", help="The data directory (default: hilum-data).")]
Config = Annotated[Path | None, typer.Option("--config", exists=True, dir_okay=False, help="A file of settings (default: hilum.toml).")]
BehindProxy = Annotated[bool, typer.Option("--behind-proxy", help="A proxy in front speaks TLS.")]


def configure(data: Path | None, config: Path | None, **options: object) -> "Settings":
    """The settings from environment, file and options; an option that was not given says nothing.

    Raises:
        HilumError: a value is wrong; the sentence names the setting.
    """
    from pydantic import ValidationError

    from hilum.model.errors import InvalidError
    from hilum.runtime.settings import load_settings

    try:
        return load_settings(config, data=data, **options)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise InvalidError(
            f"The setting {name} is wrong: {first['msg']}.", "Mend it in the option, in hilum.toml or in the environment."
        ) from error
