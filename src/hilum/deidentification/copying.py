"""The instances of one workitem, de-identified one after the other: each written, read again from where it lies, and judged."""

import logging
import traceback
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from hilum.deidentification.checking_again import SelfCheck
from hilum.deidentification.engine import Answer, Dropped, Engine, Held, Rewritten
from hilum.deidentification.originals import Originals
from hilum.deidentification.reports import StudyReport
from hilum.dicom.elements import Source
from hilum.model.errors import HilumError
from hilum.model.members import MemberNote
from hilum.model.outcomes import DeidentifiedInstance, StoredBytes
from hilum.model.ports import Batch, MemberWriter, Vault
from hilum.model.records import Instance, Series
from hilum.model.words import count

_LOG = logging.getLogger(__name__)


class Copying:
    """What becomes of the instances of one workitem. They count when the batch that they are written into is committed.

    Attributes:
        copies: those that were made.
        originals: what their pseudonyms stand for.
    """

    def __init__(self, engine: Engine, vault: Vault) -> None:
        self._engine, self._vault = engine, vault
        self._check = SelfCheck(engine.profile)
        self._report = StudyReport()
        self._held: Counter[tuple[str, str]] = Counter()  # series as a person calls it, reason
        self._studies: Counter[str] = Counter()
        self._series: Counter[str] = Counter()
        self._left_out: dict[str, str] = {}  # series of which nothing was copied so far: why
        self._made: list[tuple[Series, StoredBytes]] = []  # by the self-check's numbers
        self.copies: list[DeidentifiedInstance] = []
        self.originals = Originals()

    def take(self, batch: Batch, note: MemberNote, series: Series, instance: Instance) -> None:
        """One instance. Though one is held the others are judged, so that a person learns of all trouble at once.

        Raises:
            HilumError: the disk, or somebody who wants this to stop.
        """
        writer = batch.add(note)
        answer, stored = self._judge(writer, series, instance)
        self._report.add(answer)
        match answer:
            case Rewritten() if stored is not None:
                self.originals.add(answer)
                self._studies[answer.new_uids.get("study", ("", ""))[1]] += 1
                self._series[answer.new_uids.get("series", ("", ""))[1]] += 1
                self.copies.append(DeidentifiedInstance(series.id, answer.new_uids["instance"][1], stored))
            case Held(why):
                self._held[_called(series), why] += 1
            case Dropped(why):
                self._left_out.setdefault(series.id, f"{_called(series)}: {why}")

    def check_siblings(self, check_stop: Callable[[], object]) -> None:
        """Read those copies again whose siblings said more of the patient later. After the last instance, before the batch is committed."""
        for number in self._check.overtaken:
            check_stop()
            series, stored = self._made[number]
            if held := self._check.check_later(number, self._vault.mapped(stored)):
                self._held[_called(series), held.why] += 1
                self._report.held[held.why] += 1

    def _judge(self, writer: MemberWriter, series: Series, instance: Instance) -> tuple[Answer, StoredBytes | None]:
        original = self._vault.mapped(instance.stored)
        answer = self._deidentify(original, writer)
        if not isinstance(answer, Rewritten):
            writer.abandon()
            self._check.pass_over(original)
            return answer, None
        writer.note = replace(writer.note, sop_instance_uid=answer.new_uids["instance"][1])
        member = writer.commit()
        stored = StoredBytes(member.pack_id, member.offset, member.size, member.sha256)
        self._made.append((series, stored))
        return self._check.check(len(self._made) - 1, original, self._vault.mapped(stored), answer), stored

    def _deidentify(self, original: memoryview, writer: MemberWriter) -> Answer:
        source = Source(lambda offset, size: bytes(original[offset : offset + size]), len(original))
        try:
            return self._engine.deidentify(source, writer.write)
        except (HilumError, OSError):
            raise  # our disk's trouble and not the object's
        except Exception as error:  # noqa: BLE001 - what nobody thought of is held, never passed on; its message may quote a patient
            place = traceback.extract_tb(error.__traceback__)[-1]
            _LOG.warning("de-identification met a surprise: %s in %s, line %s", type(error).__name__, place.name, place.lineno)
            return Held(f"De-identifying it met a surprise ({type(error).__name__}).")

    def why_held(self, roles: Collection[str]) -> str:
        """Why none of it may go on; "" where it may.

        Args:
            roles: ids of the series that take a role of the template: the results cannot be without them.
        """
        if self._held:
            (where, why), _ = self._held.most_common(1)[0]
            others = len(self._held) - 1
            more = f" There {'is 1 more reason' if others == 1 else f'are {others} more reasons'} in its report." if others else ""
            of = f"{sum(self._held.values()):,} of {count(self._report.instances, 'instance')}"
            return f"{of} cannot be de-identified by profile {self._engine.profile.name}. {where}: {why}{more}"
        copied = {copy.series_id for copy in self.copies}
        missed = [why for series, why in self._left_out.items() if series not in copied and (series in roles or not copied)]
        return f"Profile {self._engine.profile.name} leaves out all of what the template needs. {missed[0]}" if missed else ""

    @property
    def sentence(self) -> str:
        """What was done, for a person."""
        profile, report = self._engine.profile, self._report
        done = ", ".join(f"{action} {times:,}" for action, times in report.actions.most_common(4))
        left_out = f" Left out: {count(sum(report.dropped.values()), 'instance')}." if report.dropped else ""
        flagged = f" {' '.join(report.flags)}" if report.flags else ""
        return (
            f"De-identified by profile {profile.name}, version {profile.version}, and read again: {count(len(self.copies), 'instance')} "
            f"({done or 'nothing to change'}).{left_out}{flagged}"
        )

    def report(self) -> dict[str, Any]:
        """What was done, by attribute, without values; the identifiers are the new ones."""
        series = [{"series_instance_uid": uid, "instances": times} for uid, times in sorted(self._series.items())]
        return {"study_instance_uids": sorted(self._studies), "series": series, **self._report.as_json()}


def _called(series: Series) -> str:
    """By its number: a description is a sender's text."""
    number = series.attributes.get("SeriesNumber")
    return f"Series {number}" if isinstance(number, (int, float)) else "A series without a number"
