"""hilum template: the report types."""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from hilum.cli import make_group
from hilum.cli.connecting import DEFAULT_DATA, DEFAULT_SERVER, Data, Json, Server, connect
from hilum.cli.telling import print_columns, print_json, printable, say
from hilum.model.errors import InvalidError
from hilum.model.words import joined

commands = make_group("List, show, try and save report types; search what their rules can ask.")

Name = Annotated[str, typer.Argument(help="The report type.")]
Out = Annotated[Path | None, typer.Option("--out", dir_okay=False, help="The file; default: it is printed.")]
Days = Annotated[int, typer.Option("--days", min=1, help="How far back.")]
Words = Annotated[list[str], typer.Argument(help="Words of the keyword, the name or the tag.")]
Attribute = Annotated[str, typer.Argument(help="The private tag with its creator: '(0019,100C) CREATOR'.")]
TagName = Annotated[str, typer.Argument(help="What it is called.")]
Vr = Annotated[str, typer.Argument(help="Its Value Representation: DS, IS, LO, ...")]
OfVr = Annotated[str, typer.Option("--vr", help="A Value Representation.")]
COUNTED = ("looked_at", "matched", "gained", "lost", "not_judged")
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


@commands.command()
def export(name: Name, out: Out = None, server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA) -> None:
    """Write a report type as a YAML file, without what is as by default; `save` takes it here or elsewhere."""
    from hilum.cli.administering import fetch_text
    from hilum_sdk.session import path_of

    with connect(server, data) as hilum:
        text = fetch_text(hilum, path_of("templates", name, "yaml"))
    if out is None:
        say(text.rstrip())
    else:
        out.write_text(text, encoding="utf-8")


@commands.command("dry-run")
def dry_run(file: File, days: Days = 30, server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA, json: Json = False) -> None:
    """Try a report type on what came within the last days: what it matches, gains and loses. Nothing is saved."""
    definition = _read(file)
    with connect(server, data) as hilum:
        answer = hilum.templates.dry_run(definition["name"], definition, days).model_dump(mode="json")
    if json:
        print_json(answer)
    else:
        _tell_dry_run(answer)


def _tell_dry_run(answer: dict[str, Any]) -> None:
    against = f"against version {answer['compared_with']}" if answer["compared_with"] else "new"
    say(printable(f"{answer['template']} ({against}), over the last {answer['days']} days:"))
    rows = [(noun, *(str(answer[noun][name]) for name in COUNTED)) for noun in ("studies", "series")]
    print_columns(("", *(name.replace("_", " ") for name in COUNTED)), rows)
    if answer["series"]["not_judged"]:
        names = ", ".join(answer["never_kept"]) or "an attribute"
        say(printable(f"Not judged: {names} was not kept when they came; once this is saved it is read from their files."))
    for one in answer["examples"]:
        also = f" {joined(one['also'])} would match it too: a person would have to choose." if one["also"] else ""
        say(printable(f"{one['change']:<6}  study {one['study']}: {one['sentence']}{also}"))


@commands.command()
def tags(words: Words, server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA, json: Json = False) -> None:
    """Search the DICOM dictionary, and private tags that the site has named, by words of keyword, name or tag."""
    from hilum.cli.administering import get

    with connect(server, data) as hilum:
        found = get(hilum, f"/attributes?{urlencode({'text': ' '.join(words)})}")["items"]
    if json:
        print_json(found)
    else:
        rows = [(one["attribute"], one["tag"], one["vr"], one["name"], one["hint"]) for one in found]
        print_columns(("attribute", "tag", "VR", "name", "its values"), rows)


@commands.command("name-tag")
def name_tag(
    attribute: Attribute, name: TagName, vr: Vr, server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA, json: Json = False
) -> None:
    """Give a private tag that no dictionary knows a name and a VR, so that rules can ask for it."""
    from hilum.cli.administering import post

    with connect(server, data) as hilum:
        made = post(hilum, "/attributes", {"attribute": attribute, "name": name, "vr": vr})
    if json:
        print_json(made)
    else:
        say(printable(f"{attribute} is called {name}; its VR is {vr}."))


@commands.command()
def operators(vr: OfVr = "", server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA, json: Json = False) -> None:
    """List the operators of conditions, or those that may be asked of a VR."""
    from hilum.cli.administering import get

    with connect(server, data) as hilum:
        found = get(hilum, f"/operators?{urlencode({'vr': vr})}")["items"]
    if json:
        print_json(found)
    else:
        print_columns(("operator", "takes", "holds when"), [(one["operator"], one["takes"], one["does"]) for one in found])


@commands.command()
def schema(server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA) -> None:
    """Print the JSON schema of a report type, for editors."""
    from hilum.cli.administering import get

    with connect(server, data) as hilum:
        print_json(get(hilum, "/template-schema"))


def _read(file: Path) -> dict[str, Any]:
    from hilum.runtime.template_files import from_yaml

    try:
        return from_yaml(file.read_text(encoding="utf-8"))
    except (InvalidError, UnicodeDecodeError) as error:
        raise InvalidError(f"{file}: {error}") from error
