"""hilum template: the report types."""

from pathlib import Path
from typing import Annotated, Any

import typer

from hilum.cli import make_group
from hilum.cli.connecting import DEFAULT_DATA, DEFAULT_SERVER, Data, Json, Server, connect
from hilum.cli.telling import print_columns, print_json, printable, say
from hilum.model.errors import InvalidError

commands = make_group("List, show and save report types.")

Name = Annotated[str, typer.Argument(help="The report type.")]
File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A template as YAML: docs/templates.md.")]


@commands.command("list")
def list_templates(server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA, json: Json = False) -> None:
    """List the report types in their newest versions."""
    with connect(server, data) as hilum:
        templates = [template.model_dump(mode="json") for template in hilum.templates.list()]
    if json:
        print_json(templates)
    else:
        rows = [(one["name"], str(one["version"]), one.get("description") or one.get("title", "")) for one in templates]
        print_columns(("name", "version", "does"), rows)


@commands.command()
def show(name: Name, server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA, json: Json = False) -> None:
    """Show a report type as YAML that `save` takes."""
    with connect(server, data) as hilum:
        template = hilum.templates.get(name).model_dump(mode="json")
    if json:
        print_json(template)
    else:
        import yaml

        say(yaml.safe_dump(template, sort_keys=False, allow_unicode=True).rstrip())


@commands.command()
def save(file: File, server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA, json: Json = False) -> None:
    """Save a report type: a new one, or the next version of one that is there."""
    from hilum_sdk import NotFoundError

    definition = _read(file)
    with connect(server, data) as hilum:
        try:
            saved = hilum.templates.update(definition["name"], definition)
        except NotFoundError:
            saved = hilum.templates.create(definition)
    if json:
        print_json(saved.model_dump(mode="json"))
    else:
        say(printable(f"Template {saved.name} is saved as version {saved.version}."))


def _read(file: Path) -> dict[str, Any]:
    import yaml

    try:
        definition = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidError(f"{file} is no YAML: {error}.", "Begin with what `hilum template show brain_ms` prints.") from error
    if not (isinstance(definition, dict) and isinstance(definition.get("name"), str)):
        raise InvalidError(f"{file} names no template.", "Give it a `name`.")
    return definition
