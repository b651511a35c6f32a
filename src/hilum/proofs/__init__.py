"""Proofs: what shows that a study is complete, so that work on it begins. One file a member.

A project's policy says which are accepted (`accepts: {"proofs": ["upload-completed", ...]}`); the first that holds starts the work
at once. `quiet-time` is the fallback of every policy: nothing waits for ever. The verdict names its proof in the study's history.

The whole of a member (its file is `proofs/upload_completed.py`, its kind the same words with hyphens):

    kind = "upload-completed"
    by_default = True                       # accepted where a project says nothing

    def prove(evidence: Evidence) -> str:   # the end of the sentence "Complete with 5 instances: ..."; "" where it proves nothing
        return "the sender completed the upload" if all(request.completed for request in evidence.requests) else ""

What a watched folder shows (it stopped changing), and what a PACS answers (how many instances it has of the study), become members with
their doors, a file each; a count that a PACS answers goes into `Evidence.expected`, where announced ones are.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from hilum.dicom.geometry import Slice
from hilum.model.judging import Operators
from hilum.model.records import Request, Series, Study
from hilum.model.templates import Template


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a study that waits.

    Args:
        requests: what intakes ask of it that was not answered yet.
        quiet: how long nothing may have arrived, by the project.
        silent: how long nothing has arrived.
        expected: UID of the study or of a series -> how many instances somebody who knows has announced.
        series, slices, templates: looked up when they are asked for; the templates are the candidates.
    """

    study: Study
    requests: Sequence[Request]
    quiet: timedelta
    silent: timedelta
    expected: Mapping[str, int]
    series: Callable[[], Sequence[Series]]
    slices: Callable[[Series], Sequence[Slice]]
    templates: Callable[[], Sequence[Template]]
    operators: Operators

    @property
    def transfer_has_ended(self) -> bool:
        """Whether every sender is through: its upload completed and imported, or its association over."""
        return bool(self.requests) and all(request.completed or request.ended for request in self.requests)
