"""The white list: findings that a person, or the site's settings, accept. An accepted finding is told and weighs nothing.

In settings an acceptance is a check's kind, or a kind and a part of the sentence: `module-conformance` or
`module-conformance: PatientSex`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from hilum.model.outcomes import Finding, Severity


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What is accepted, by whom and why.

    Args:
        check: the kind of check.
        containing: only findings whose sentence has this in it, without regard to case; "" for all.
        series_instance_uid: only findings about this series; "" for the whole project.
        key: ours; 0 for what stands in the settings.
    """

    check: str
    containing: str = ""
    series_instance_uid: str = ""
    reason: str = ""
    who: str = "the site's settings"
    at: datetime | None = None
    key: int = 0

    def takes(self, check: str, sentence: str, series_instance_uid: str) -> bool:
        """Whether it is about this finding."""
        return (
            self.check == check
            and self.containing.casefold() in sentence.casefold()
            and self.series_instance_uid in ("", series_instance_uid)
        )

    @property
    def sentence(self) -> str:
        """What stands beside the finding."""
        return f"Accepted by {self.who}" + (f": {self.reason.rstrip('.')}." if self.reason else ".")


def from_setting(text: str) -> Acceptance:
    """Read one acceptance of the settings."""
    check, _, containing = text.partition(":")
    return Acceptance(check.strip(), containing.strip())


def acceptance_of(accepted: Iterable[Acceptance], check: str, sentence: str, series_instance_uid: str) -> Acceptance | None:
    """The first acceptance that takes it."""
    return next((one for one in accepted if one.takes(check, sentence, series_instance_uid)), None)


def accept(finding: Finding, acceptance: Acceptance | None) -> Finding:
    """The finding with what was said of it; one that is accepted already stays."""
    if acceptance is None or finding.accepted:
        return finding
    sentence = f"{finding.sentence} {acceptance.sentence}"
    return replace(finding, severity=Severity.INFO, sentence=sentence, accepted=acceptance.sentence)
