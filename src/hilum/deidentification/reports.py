"""What was done to the objects of each study: counts, attributes, profile; no value of any of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hilum.deidentification.engine import ENGINE, Answer, Dropped, Held, Rewritten, methods_of
from hilum.deidentification.pixels import PixelReport
from hilum.dicom.attributes import keyword_of
from hilum.model.profiles import Profile


@dataclass(slots=True)
class StudyReport:
    """What was done in one study; its name is the new Study Instance UID, or "" for objects that nobody can say it of."""

    instances: int = 0
    actions: Counter[str] = field(default_factory=Counter)
    attributes: Counter[tuple[tuple[int, ...], str, str]] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)
    pixels: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)

    def add(self, answer: Answer) -> None:
        """Count one object."""
        self.instances += 1
        match answer:
            case Rewritten():
                self.flags.update(answer.flags)
                self._add_pixels(answer.pixels)
                for path, rule in answer.touched:
                    self.actions[rule.action] += 1
                    self.attributes[path, rule.action, rule.reason] += 1
            case Held():
                self.held[answer.why] += 1
            case Dropped():
                self.dropped[answer.why] += 1

    def _add_pixels(self, done: PixelReport) -> None:
        counts = self.pixels.setdefault((done.rule, done.action), Counter())
        counts.update(
            instances=1,
            frames=done.frames,
            regions=done.regions * done.frames,
            emptied_segments=done.emptied,
            cleared_overlays=int(done.has_cleared_bits),
        )

    def as_json(self) -> dict[str, Any]:
        """The report; `before` and `after` of an attribute say only whether it has a value."""
        return {
            "instances": self.instances,
            "actions": dict(sorted(self.actions.items())),
            "attributes": [_attribute(*what, times) for what, times in sorted(self.attributes.items(), key=lambda one: one[0][0])],
            "held": dict(self.held),
            "dropped": dict(self.dropped),
            "flags": dict(self.flags),
            "pixels": [{"rule": rule, "action": action, **counts} for (rule, action), counts in sorted(self.pixels.items())],
        }


_LEAVES = {"remove": "absent", "empty": "empty"}


def _attribute(path: tuple[int, ...], action: str, reason: str, times: int) -> dict[str, Any]:
    return {
        "attribute": name_path(path),
        "action": action,
        "reason": reason,
        "before": "present",
        "after": _LEAVES.get(action, "another value"),
        "times": times,
    }


def name_path(path: Sequence[int]) -> str:
    """`ReferencedStudySequence.ReferencedSOPInstanceUID`, with the tag in place of what has no keyword."""
    return ".".join(keyword_of(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})" for tag in path)


def describe(profile: Profile, key_id: str) -> dict[str, Any]:
    """By what it was done: what stands in every report and in a result's provenance."""
    return {
        "engine": ENGINE,
        "profile": profile.name,
        "profile_version": profile.version,
        "profile_digest": profile.digest,
        "options": sorted(profile.options),
        "methods": [f"{method.value} {method.meaning}" for method in methods_of(profile, is_cleaned=True)],
        "key": key_id,
        "self_check": "every copy was read again and searched for whom its original names",
    }


def report(profile: Profile, key_id: str, studies: Mapping[str, StudyReport]) -> dict[str, Any]:
    """The whole report."""
    return {**describe(profile, key_id), "studies": {name: one.as_json() for name, one in sorted(studies.items())}}
