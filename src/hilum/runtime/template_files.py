"""Templates as YAML files: what is exported can be imported anywhere, and is the same template then."""

from typing import Any

import yaml

from hilum.model.errors import InvalidError
from hilum.model.templates import Template
from hilum.runtime.plain_yaml import read_yaml

MOST_CHARACTERS = 1 << 20


def to_yaml(template: Template) -> str:
    """The template without what is as by default."""
    definition = {"name": template.name} | template.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(definition, sort_keys=False, allow_unicode=True, width=120)


def from_yaml(text: str) -> dict[str, Any]:
    """The members of a template's definition, not judged yet; InvalidError where it is none."""
    mend = "Begin with what `hilum template export brain_ms` prints."
    if len(text) > MOST_CHARACTERS:
        raise InvalidError(f"It has more than {MOST_CHARACTERS} characters.", mend)
    try:
        definition = read_yaml(text)
    except ValueError as error:
        raise InvalidError(f"It is no YAML of a template: {error}.", mend) from error
    if not isinstance(definition, dict) or not isinstance(definition.get("name"), str):
        raise InvalidError("It names no template.", "Give it a `name`.")
    return definition
