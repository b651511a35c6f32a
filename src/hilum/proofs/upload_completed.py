"""The sender completed its upload: nobody knows better."""

from hilum.proofs import Evidence

kind = "upload-completed"
by_default = True


def prove(evidence: Evidence) -> str:
    """All uploads that ask for the study are completed and imported."""
    through = evidence.requests and all(request.completed and request.imported for request in evidence.requests)
    return "the sender completed the upload" if through else ""
