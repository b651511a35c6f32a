"""Templates as YAML files: what is exported can be imported anywhere, and is the same template then."""

from typing import Any

import yaml

from hilum.model.errors import InvalidError
from hilum.model.templates import Template

MOST_CHARACTERS = 1 << 20


class _PlainLoader(yaml.SafeLoader):
    """YAML without aliases: a few lines of them can stand for more than any memory holds."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not taken")
        return super().compose_node(parent, index)


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
        definition = yaml.load(text, _PlainLoader)  # noqa: S506 - a SafeLoader with less
    except (yaml.YAMLError, RecursionError) as error:
        raise InvalidError(f"It is no YAML of a template: {str(error)[:300]}.", mend) from error
    if not isinstance(definition, dict) or not isinstance(definition.get("name"), str):
        raise InvalidError("It names no template.", "Give it a `name`.")
    return definition
