"""The white list: findings that a person, or the site's settings, accept. An accepted finding is told and weighs nothing.

In settings an acceptance is a check's kind, or a kind and words of the sentence: `module-conformance` or
`module-conformance: PatientSex`. Words are whole words and whole numbers: "Slice 4" is not in "Slice 40", nor in "Slices 4 and 5", and
"CodeValue" not in "ProcedureCodeSequence.CodeValue". Of a finding that tells several troubles each must have them.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from hilum.model.outcomes import Finding, Severity


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What is accepted, by whom and why.

    Args:
        check: the kind of check.
        containing: only findings whose sentence has these words in it, without regard to case; "" for all.
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

    def takes(self, check: str, statements: Iterable[str], series_instance_uid: str) -> bool:
        """Whether it is about all of these troubles of a check."""
        is_concerned = self.check == check and self.series_instance_uid in ("", series_instance_uid)
        return is_concerned and all(_has_words(one, self.containing) for one in statements)

    @property
    def sentence(self) -> str:
        """What stands beside the finding."""
        return f"Accepted by {self.who}" + (f": {self.reason.rstrip('.')}." if self.reason else ".")


def from_setting(text: str) -> Acceptance:
    """Read one acceptance of the settings."""
    check, _, containing = text.partition(":")
    return Acceptance(check.strip(), containing.strip())


def acceptance_of(accepted: Iterable[Acceptance], check: str, statements: Sequence[str], series_instance_uid: str) -> Acceptance | None:
    """The first acceptance that takes all of these troubles."""
    return next((one for one in accepted if one.takes(check, statements, series_instance_uid)), None)


def _has_words(sentence: str, words: str) -> bool:
    return not words.strip() or _pattern(words.strip()).search(sentence) is not None


@lru_cache(maxsize=1024)
def _pattern(words: str) -> re.Pattern[str]:
    """Finds the words where neither a word, a path nor a list of numbers goes on before or behind them."""
    before = r"(?<!\w)(?<!\w[.])" if words[0].isalnum() else ""
    behind = r"(?!\w|[.,]\w)" if words[-1].isalnum() else ""
    if words[0].isdigit():
        before += r"(?<!\d, )(?<!\d and )(?<!\d to )"
    if words[-1].isdigit():
        behind += r"(?!, \d| and \d| to \d)"
    return re.compile(before + re.escape(words) + behind, re.IGNORECASE)


def accept(finding: Finding, acceptance: Acceptance | None) -> Finding:
    """The finding with what was said of it; one that is accepted already stays."""
    if acceptance is None or finding.accepted:
        return finding
    sentence = f"{finding.sentence} {acceptance.sentence}"
    return replace(finding, severity=Severity.INFO, sentence=sentence, accepted=acceptance.sentence)
