"""Every required series of a candidate template is here and has no gap. Off by default.

Slices without a gap do not prove the last one. So this counts only where the transfer has ended, or the count of these series was
announced and is reached; else it only shortens the quiet time.
"""

from datetime import timedelta

from hilum.dicom.geometry import missing_slices
from hilum.model.records import Series
from hilum.model.roles import find_roles
from hilum.model.templates import Template
from hilum.proofs import Evidence

kind = "required-series"
by_default = False

SHORT = timedelta(seconds=2)


def prove(evidence: Evidence) -> str:
    """The first candidate template that has all it needs."""
    for template in evidence.templates():
        series = _required(template, evidence)
        if series and (evidence.transfer_has_ended or _are_counted(series, evidence)):
            return f"every series that {template.name} requires is here without a gap"
    return ""


def quiet_of(evidence: Evidence) -> timedelta:
    """The quiet time that is enough now."""
    is_there = any(_required(template, evidence) for template in evidence.templates())
    return min(evidence.quiet, SHORT) if is_there else evidence.quiet


def _required(template: Template, evidence: Evidence) -> list[Series]:
    """The series in its roles; empty where one is missing or has a gap."""
    searches = find_roles(template.required_series, evidence.series(), evidence.operators)
    chosen = [search.chosen for search in searches if search.chosen is not None]
    if not searches or len(chosen) < len(searches):
        return []
    gapless = all(not missing_slices(evidence.slices(one), evidence.expected.get(one.series_instance_uid)) for one in chosen)
    return chosen if gapless else []


def _are_counted(series: list[Series], evidence: Evidence) -> bool:
    return all(0 < evidence.expected.get(one.series_instance_uid, 0) <= one.number_of_instances for one in series)
