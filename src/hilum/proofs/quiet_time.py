"""Nothing more has arrived for the quiet time: the fallback where nobody says that a study is complete."""

from hilum.proofs import Evidence

kind = "quiet-time"
by_default = True


def prove(evidence: Evidence) -> str:
    """It was quiet long enough."""
    return f"nothing more arrived for {evidence.quiet.total_seconds():g} s" if evidence.silent >= evidence.quiet else ""
