"""hilum explain: why each series of a study fits the report types, or does not: the tree of conditions with the actual values."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hilum.cli.connecting import DEFAULT_DATA, DEFAULT_SERVER, Data, Json, Server, connect, find_study
from hilum.cli.telling import print_json, printable, say, styled
from hilum.model.errors import NotFoundError
from hilum.model.words import count, suggest

if TYPE_CHECKING:
    from hilum_sdk.models import Series

Study = Annotated[str, typer.Argument(help="Its id, Study Instance UID or accession number.")]
Name = Annotated[str, typer.Option("--template", help="The report type; without it the nearest of each series, the others in a line.")]
Node = Mapping[str, Any]

VERDICTS = {True: ("yes", "good"), False: ("no", "bad"), None: ("?", "held")}
GROUPS = {"all": "all of", "any": "any of", "none": "none of"}


def run(study: Study, template: Name = "", server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA, json: Json = False) -> None:
    """Tell why each series of a study fits a report type, or does not, condition by condition."""
    from hilum.cli.administering import get
    from hilum_sdk.session import path_of

    with connect(server, data) as hilum:
        found = list(hilum.series.list(study=find_study(hilum, study).id))
        explained = [(one, get(hilum, path_of("series", one.id, "explain"))) for one in found]
    explanations = [_only(explanation, template) for _, explanation in explained]
    if json:
        print_json({"items": explanations})
    else:
        for (one, _), explanation in zip(explained, explanations, strict=True):
            _tell(one, explanation, template)


def _only(explanation: dict[str, Any], name: str) -> dict[str, Any]:
    """The explanation with the templates that were asked for."""
    if not name:
        return explanation
    templates = [one for one in explanation["templates"] if one["template"] == name]
    if not templates:
        known = [one["template"] for one in explanation["templates"]]
        raise NotFoundError(f"There is no report type {name!r} that has rules.", suggest(name, known))
    return explanation | {"templates": templates}


def _tell(one: "Series", explanation: Node, name: str) -> None:
    said = f"{one.modality} {one.description or 'no description'}, {count(one.number_of_instances or 0, 'instance')}"
    say(f"{styled(said, 'bold')}  {styled(one.series_instance_uid or '', 'dim')}")
    nearest = (explanation["nearest"] or {}).get("template")
    for template in explanation["templates"]:
        _tell_template(template, is_whole=bool(name) or template["template"] == nearest)
    if not explanation["templates"]:
        say("  No report type has rules.")
    say()


def _tell_template(template: Node, *, is_whole: bool) -> None:
    inactive = "" if template["active"] else ", not active"
    verdict = "fits" if template["holds"] else f"does not fit, by {count(template['failing'], 'condition')}"
    say(f"  {printable(template['template'])} (version {template['version']}{inactive}): {verdict}")
    for rule in template["rules"] if is_whole else ():
        say(f"    {'its rule' if rule['role'] is None else printable(rule['role'])}:")
        for line in _lines(rule, 3):
            say(line)


def _lines(node: Node, depth: int) -> Iterator[str]:
    """A node and those below it, a line each: its verdict, and what it asks."""
    word, style = VERDICTS[node["holds"]]
    parts: Sequence[Node] = node["parts"]
    yield f"{'  ' * depth}{styled(word.ljust(3), style)}  {GROUPS[node['kind']] if parts else printable(node['sentence'])}"
    for part in parts:
        yield from _lines(part, depth + 1)
