"""/studies/{id}/findings.html: the report of the checks, one file that explains itself wherever it is kept, and prints well.

No script, no style and no picture from anywhere: the style stands within, and its digest in the page's own policy, so that a saved
copy is as harmless as the page.
"""

from functools import cache

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from hilum.model.findings_report import CheckWords, FindingsReport, report_findings
from hilum.model.identity import Scope
from hilum.model.outcomes import Severity
from hilum.model.words import count, joined
from hilum.runtime.assembling import Application
from hilum.runtime.registry import find_members
from hilum.web.inlining import inlined
from hilum.web.rendering import HEADERS, environment

MOST_INSTANCES = 200  # of one finding that are listed; the JSON has all


def show_findings(app: Application, scope: Scope, request: Request) -> Response:
    """The page."""
    return render_findings(app, scope, compose_findings(app, scope, request.path_params["study"]))


def compose_findings(app: Application, scope: Scope, study_id: str) -> FindingsReport:
    """The report of a study; NotFoundError when there is none."""
    study = app.catalogue.find_study(scope, study_id)
    held = [(one, app.catalogue.instances_of(scope, one)) for one in app.catalogue.list_series(scope, study.id)]
    return report_findings(study, held, app.catalogue.findings(scope, study), _words())


def render_findings(app: Application, scope: Scope, report: FindingsReport) -> HTMLResponse:
    """The report as a page."""
    style = inlined("findings.css")
    policy = f"default-src 'none'; style-src {style.source}; img-src data:; base-uri 'none'; form-action 'none'"
    text = (
        environment()
        .get_template("findings.html")
        .render(
            report=report,
            study=report.study,
            policy=policy,
            style=style.text,
            made_at=app.clock(),
            sees_identity=scope.may_see_identity,
            verdict=_verdict(report),
            most=MOST_INSTANCES,
        )
    )
    # frame-ancestors is not heard in a meta element (CSP Level 3, 3.3), so the header says it.
    return HTMLResponse(text, headers=HEADERS | {"Content-Security-Policy": f"{policy}; frame-ancestors 'none'"})


def _verdict(report: FindingsReport) -> str:
    """2 errors and 1 warning."""
    told = [(Severity.ERROR, "error"), (Severity.WARNING, "warning"), (Severity.INFO, "remark")]
    parts = [count(number, noun) for severity, noun in told if (number := report.number_of(severity))]
    return joined(parts) or "Nothing found"


@cache
def _words() -> dict[str, CheckWords]:
    members = find_members("hilum.checks")
    return {kind: CheckWords(getattr(member, "meaning", ""), getattr(member, "mend", "")) for kind, member in members.items()}
