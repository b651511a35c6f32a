"""hilum findings: what the checks found in a study, with what it means and what to do."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hilum.cli.connecting import DEFAULT_DATA, DEFAULT_SERVER, Data, Json, Server, connect, find_study
from hilum.cli.telling import print_json, printable, say, styled
from hilum.model.words import count

if TYPE_CHECKING:
    from hilum_sdk.models import Finding, FindingsReport

Study = Annotated[str, typer.Argument(help="Its id, Study Instance UID or accession number.")]
Html = Annotated[Path | None, typer.Option("--html", help="Write the report there, one file to keep or print.")]
MOST_UIDS = 5  # of a finding; --json has all


def run(study: Study, html: Html = None, server: Server = DEFAULT_SERVER, data: Data = DEFAULT_DATA, json: Json = False) -> None:
    """Tell what the checks found in a study."""
    with connect(server, data) as hilum:
        found = find_study(hilum, study).id
        report = hilum.studies.findings_report(found)
        if html is not None:
            html.write_bytes(hilum.studies.findings_html(found))
    if json:
        print_json(report.model_dump(mode="json"))
    elif html is None:
        _tell(report)
    else:
        say(f"Wrote {html}.")


def _tell(report: "FindingsReport") -> None:
    counts = report.counts
    say(f"{count(counts.instances, 'slice')}: {counts.valid} valid, {counts.doubtful} doubtful, {counts.invalid} invalid.")
    for finding in report.items:
        say()
        _tell_finding(finding)
    if not report.items:
        say("The checks found nothing.")


def _tell_finding(finding: "Finding") -> None:
    say(f"{styled(finding.severity, 'bold')}  {printable(finding.sentence)}  {styled(finding.check, 'dim')}")
    for sentence in (finding.meaning, finding.mend):
        if sentence and sentence not in finding.sentence:  # some end with their mend
            say(f"  {printable(sentence)}")
    if finding.instances:
        more = " ..." if len(finding.instances) > MOST_UIDS else ""
        say(f"  {count(len(finding.instances), 'instance')}: {printable(', '.join(map(str, finding.instances[:MOST_UIDS])))}{more}")
