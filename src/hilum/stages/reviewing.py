"""reviewing: the template's policy decides whether a person must look at the results before they are delivered."""

from hilum.model.lifecycle import Item
from hilum.model.outcomes import Done, Hold, Outcome, Severity
from hilum.model.ports import Tools

MEND = "Accept or reject it with `hilum review`."


def run(item: Item, tools: Tools) -> Outcome:
    """Go on, or wait for the verdict."""
    workitem = tools.catalogue.find_workitem(tools.scope, item.id)
    template, _ = tools.templates.find(tools.scope, workitem.template, workitem.template_version)
    match template.review:
        case "never":
            return Done("No review is asked for.")
        case "always":
            return Hold(f"Every result of {template.name} waits for a reviewer. {MEND}")
        case "on-warning":
            study = tools.catalogue.find_study(tools.scope, workitem.study_id)
            mine = {given.series_id for given in workitem.inputs}
            warnings = [
                finding
                for finding in tools.catalogue.findings(tools.scope, study)
                if finding.template in ("", template.name)
                and (not finding.series_id or finding.series_id in mine)
                and template.severities.get(finding.check, finding.severity) is not Severity.INFO
            ]
            if not warnings:
                return Done("No warning, so no review is asked for.")
            return Hold(f"A warning asks for a reviewer: {warnings[0].sentence} {MEND}")
