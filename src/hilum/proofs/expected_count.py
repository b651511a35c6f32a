"""As many instances are here as the sender has announced, in its upload's metadata or when it completed it; of the study or each series."""

from hilum.proofs import Evidence

kind = "expected-count"
by_default = True


def prove(evidence: Evidence) -> str:
    """The study's own count is here, or that of every series that was announced and no other series is.

    More than was announced proves nothing: the announcement is out of date, and the quiet time decides.
    """
    expected, study = evidence.expected, evidence.study
    whole = expected.get(study.study_instance_uid)
    if whole is not None:
        return f"all {whole} announced instances are here" if 0 < whole == study.number_of_instances else ""
    if not expected:
        return ""
    here = {one.series_instance_uid: one.number_of_instances for one in evidence.series()}
    reached = here.keys() <= expected.keys() and all(here.get(uid, 0) == number for uid, number in expected.items())
    return f"all announced instances of {len(expected)} series are here" if reached else ""
