"""The association over which the study came has ended, and nothing more came within the quiet time.

A modality may open an association an image, so its end alone proves nothing (docs/decisions/0005).
"""

from hilum.proofs import Evidence

kind = "association-ended"
by_default = True


def prove(evidence: Evidence) -> str:
    """Every sender's association is over, and it was quiet."""
    over = evidence.requests and all(request.ended for request in evidence.requests)
    if not over or evidence.silent < evidence.quiet:
        return ""
    return f"the association ended and nothing more arrived for {evidence.quiet.total_seconds():g} s"
