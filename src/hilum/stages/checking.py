"""checking: every image's header, then the checks that need no template, then those of every candidate template.

Findings are facts; matching weighs them.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hilum.checks import CheckedSeries, Content, HeaderReader, Subject
from hilum.dicom.headers import Header, Leaf
from hilum.dicom.part10 import Recognition, UnreadableError, recognise
from hilum.dicom.scanner import scan_all
from hilum.model.acceptances import Acceptance, accept, acceptance_of
from hilum.model.candidates import candidates
from hilum.model.completeness import merged_counts
from hilum.model.errors import HilumError
from hilum.model.lifecycle import Item
from hilum.model.outcomes import Done, Finding, FindingsRecorded, Outcome, Severity, StoredBytes
from hilum.model.ports import Tools, Vault
from hilum.model.reading import source_of
from hilum.model.records import Instance, Series, Study
from hilum.model.roles import called
from hilum.model.templates import Template
from hilum.model.words import count, joined

_LOG = logging.getLogger(__name__)
MOST_KNOWN = 100_000  # verdicts on single values; an enhanced series may have millions that all differ
SHOWN = 12  # troubles of one series that a sentence names


def run(item: Item, tools: Tools) -> Outcome:
    """Run every check on the study's present revision."""
    study = tools.catalogue.find_study(tools.scope, item.id)
    requests = tools.catalogue.requests(tools.scope, item.id)
    templates = candidates(tools, requests)
    found: list[Finding] = []
    expected = merged_counts(request.expected for request in requests)
    accepted = (*tools.accepted(tools.scope, study.project), *tools.accepted_everywhere)
    uids: dict[str, str] = {}
    for subject in _subjects(study, templates, expected, accepted, found, tools):
        uids |= {one.series.id: one.series.series_instance_uid for one in subject.series}
        for check in tools.checks.values():
            if hasattr(check, "check") and check.for_template == (subject.template is not None):
                tools.check_stop()
                found += check.check(subject)
    judged = [_accepted(finding, accepted, uids.get(finding.series_id, "")) for finding in found]
    return Done(_summary(judged), (FindingsRecorded(study.id, study.revision, tuple(judged)),))


def _accepted(finding: Finding, accepted: Sequence[Acceptance], series_instance_uid: str) -> Finding:
    return accept(finding, acceptance_of(accepted, finding.check, finding.statements or (finding.sentence,), series_instance_uid))


def _subjects(
    study: Study,
    templates: Sequence[Template],
    expected: Mapping[str, int],
    accepted: Sequence[Acceptance],
    found: list[Finding],
    tools: Tools,
) -> Iterator[Subject]:
    """What the checks see: without a template, then with each. What the headers showed is put into `found` on the way."""
    varying = frozenset(name for template in templates for name in template.varying())
    checked = []
    for one in tools.catalogue.list_series(tools.scope, study.id, varying=varying):
        instances = tuple(tools.catalogue.instances_of(tools.scope, one))
        seen = look_at(one, instances, tools.checks, tools.vault, tools.check_stop)
        found += seen.findings(one, instances, tools.checks, accepted)
        announced = expected.get(one.series_instance_uid)
        checked.append(CheckedSeries(one, instances, announced, seen.reader, frozenset(seen.compressed)))
    conflicts = tuple(tools.catalogue.conflicts(tools.scope, study.id))
    decode, ask = tools.decoder(tools), tools.asker(tools)
    plain = Subject(study, tuple(checked), conflicts, tools.operators, expected=expected, decode=decode, ask=ask)
    yield plain
    yield from (replace(plain, template=template) for template in templates)


# --- the headers ----------------------------------------------------------------------------------------------------------------


@dataclass
class Seen:
    """What one pass over the headers of a series showed.

    Args:
        troubles: check kind -> trouble -> SOP Instance UIDs.
        compressed: SOP Instance UIDs of those with encapsulated pixels.
    """

    reader: HeaderReader
    troubles: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    compressed: set[str] = field(default_factory=set)

    def findings(
        self, one: Series, instances: Sequence[Instance], checks: Mapping[str, Any], accepted: Sequence[Acceptance] = ()
    ) -> Iterator[Finding]:
        """One finding a check, the most frequent trouble first; what is accepted stands in another."""
        for kind, troubles in self.troubles.items():
            parts: dict[Acceptance | None, dict[str, list[str]]] = {}
            for trouble, uids in troubles.items():
                parts.setdefault(acceptance_of(accepted, kind, (trouble,), one.series_instance_uid), {})[trouble] = uids
            for acceptance, part in parts.items():
                concerned = {uid for uids in part.values() for uid in uids}
                named = tuple(instance.sop_instance_uid for instance in instances if instance.sop_instance_uid in concerned)
                told = _told(one, part, len(instances))
                yield accept(Finding(kind, checks[kind].severity, told, series_id=one.id, instances=named), acceptance)


def look_at(
    one: Series, instances: Sequence[Instance], checks: Mapping[str, Any], vault: Vault, check_stop: Callable[[], None] = lambda: None
) -> Seen:
    """Read every header once, for all checks that judge it."""
    judges = [check for check in checks.values() if hasattr(check, "judge")]
    values = _Values([check for check in checks.values() if hasattr(check, "judge_value")])
    seen = Seen(lambda stored: _read_header(stored, vault))
    for instance in instances:
        check_stop()
        header = seen.reader(instance.stored)
        if header.pixel_data is not None and header.pixel_data.length is None:
            seen.compressed.add(instance.sop_instance_uid)
        content = Content(one, instance, header)
        told = [(check.kind, trouble) for check in judges for trouble in check.judge(content)]
        for kind, trouble in dict.fromkeys([*told, *values.judge(header)]):
            seen.troubles.setdefault(kind, {}).setdefault(trouble, []).append(instance.sop_instance_uid)
    return seen


class _Values:
    """The troubles of single values. The images of a series say most things alike, so that most verdicts are remembered."""

    def __init__(self, judges: Sequence[Any]) -> None:
        self._judges = judges
        self._known: dict[Any, tuple[tuple[str, str], ...]] = {}

    def judge(self, header: Header) -> Iterator[tuple[str, str]]:
        """(kind, trouble) of every value."""
        character_set = header.text("SpecificCharacterSet")
        for tag, element in header.item.items():
            if isinstance(element[2], list):
                for leaf in header.leaves_of(tag):
                    known = self._known.get(leaf)
                    yield from self._learn(leaf, (leaf,)) if known is None else known
            elif (known := self._known.get((tag, element, character_set))) is not None:
                yield from known
            else:
                yield from self._learn((tag, element, character_set), header.leaves_of(tag))

    def _learn(self, key: Any, leaves: Iterable[Leaf]) -> tuple[tuple[str, str], ...]:
        told = ((check.kind, check.judge_value(leaf)) for leaf in leaves for check in self._judges)
        known = tuple((kind, trouble) for kind, trouble in told if trouble)
        if len(self._known) < MOST_KNOWN:
            self._known[key] = known
        return known


def _read_header(stored: StoredBytes, vault: Vault) -> Header:
    source = source_of(vault, stored)
    recognition = recognise(source.read_at(0, 1 << 16)) or Recognition("", 0)
    try:
        return scan_all(source, recognition)
    except UnreadableError as error:
        return Header(recognition, trouble=str(error))
    except (HilumError, OSError):
        raise  # our disk's trouble and not the file's
    except Exception as error:  # noqa: BLE001 - a file that nobody thought of must not stop the others of its study
        _LOG.warning("a header met a surprise: %s", type(error).__name__)
        return Header(recognition, trouble=f"Reading it met a surprise ({type(error).__name__}).")


def _told(one: Series, troubles: Mapping[str, Sequence[str]], images: int) -> str:
    ordered = sorted(troubles.items(), key=lambda pair: -len(pair[1]))
    parts = [
        f"{trouble}, in {'all' if len(uids) == images else len(uids)} of {count(images, 'image')}" for trouble, uids in ordered[:SHOWN]
    ]
    more = f"; and {len(ordered) - SHOWN} more" if len(ordered) > SHOWN else ""
    return f"In {called(one)}: {'; '.join(parts)}{more}."


def _summary(found: list[Finding]) -> str:
    weights = ((Severity.ERROR, "error"), (Severity.WARNING, "warning"))
    counts = [(sum(finding.severity is severity for finding in found), noun) for severity, noun in weights]
    said = joined([count(number, noun) for number, noun in counts if number])
    return f"{said}." if said else "Nothing found."
