"""The templates a study may go to."""

from collections.abc import Iterable

from hilum.model.ports import Tools
from hilum.model.records import Request
from hilum.model.templates import Template


def candidates(tools: Tools, requests: Iterable[Request]) -> list[Template]:
    """The report types that were asked for by name, or else every active template."""
    named = {request.report_type for request in requests if request.report_type}
    templates = [template for template, _ in tools.templates.newest(tools.scope)]
    if named:
        return [template for template in templates if template.name in named]
    return [template for template in templates if template.active]
