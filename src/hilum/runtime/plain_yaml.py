"""YAML as its writer means it: NO and YES are codes of DICOM, 17:00 is a time, 010 has a zero in front, a key stands once.

YAML 1.1 makes false, 1020 and 8 of them. Here they are text, nearly as in YAML 1.2 (10.3.2), and dates are, too. And there are no
aliases: a few lines of them can stand for more than any memory holds.
"""

import re
from collections import Counter
from typing import Any

import yaml


def read_yaml(text: str) -> Any:
    """What the text stands for; ValueError with the reason where it cannot be read."""
    try:
        return yaml.load(text, _PlainLoader)  # noqa: S506 - a SafeLoader with less
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(str(error)[:300]) from error


class _PlainLoader(yaml.SafeLoader):
    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not taken")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        keys = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        if twice := [key for key, times in keys.items() if times > 1]:
            raise yaml.YAMLError(f"{twice[0]!r} stands twice in the mapping of line {node.start_mark.line + 1}")
        return super().construct_mapping(node, deep)


# PyYAML's dumper puts quotes around whatever YAML 1.1 would take for something else, so that its text reads the same by these few forms.
_PlainLoader.yaml_implicit_resolvers = {}
for _tag, _form, _first in (
    ("null", r"~|null|Null|NULL|", ("~", "n", "N", "")),
    ("bool", r"true|True|TRUE|false|False|FALSE", tuple("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]{0,18})", tuple("-+0123456789")),
    ("float", r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+][0-9]+)?", tuple("-+.0123456789")),
):
    _PlainLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_form})$"), _first)
