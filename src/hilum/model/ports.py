"""What the stages need of the world, as protocols. `runtime/assembling.py` alone knows who implements them."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from hilum.model.acceptances import Acceptance
from hilum.model.completeness import GatheringPolicy
from hilum.model.crosswalk import Original
from hilum.model.identity import Scope
from hilum.model.judging import Operators
from hilum.model.keys import Keys
from hilum.model.members import MemberNote, StoredMember
from hilum.model.outcomes import Finding, StoredBytes
from hilum.model.profiles import Profile
from hilum.model.records import (
    Artifact,
    Instance,
    Intake,
    Move,
    ReceivedMember,
    Request,
    ScannedInstance,
    Series,
    SetAside,
    SetAsideMember,
    Study,
    Workitem,
)
from hilum.model.templates import Template


class Intakes(Protocol):
    """What came in."""

    def find(self, scope: Scope, intake_id: str) -> Intake: ...
    def abandoned_until(self, scope: Scope, intake_id: str) -> datetime: ...
    def next_received(self, scope: Scope, intake_id: str, limit: int) -> list[ReceivedMember]: ...
    def counts(self, scope: Scope, intake_id: str) -> dict[str, int]: ...


class Registrar(Protocol):
    """Importing's write."""

    def register(
        self,
        scope: Scope,
        intake_id: str,
        scanned: Sequence[ScannedInstance],
        set_aside: Sequence[SetAside],
        read_header: Callable[[ScannedInstance], Mapping[str, Any]],
        has_same_data_set: Callable[[ScannedInstance, StoredBytes], bool],
        kept_generation: int,
    ) -> None: ...


class Catalogue(Protocol):
    """What is held."""

    def find_study(self, scope: Scope, study: str) -> Study: ...
    def requests(self, scope: Scope, study_id: str) -> list[Request]: ...
    def made(self, scope: Scope, workitem_id: str, digests: Collection[bytes]) -> Mapping[bytes, StoredBytes]: ...
    def gathering_policy(self, scope: Scope, project: str) -> GatheringPolicy: ...
    def list_series(self, scope: Scope, study_id: str = "", *, varying: Collection[str] = ()) -> list[Series]: ...
    def instances_of(self, scope: Scope, one: Series) -> list[Instance]: ...
    def findings(self, scope: Scope, study: Study) -> list[Finding]: ...
    def conflicts(self, scope: Scope, study_id: str) -> list[SetAsideMember]: ...
    def find_workitem(self, scope: Scope, workitem_id: str) -> Workitem: ...
    def list_workitems(self, scope: Scope, *, study_id: str = "") -> list[Workitem]: ...
    def deidentified(self, scope: Scope, workitem_id: str) -> Iterator[tuple[str, str, StoredBytes]]: ...
    def artifacts(self, scope: Scope, workitem_id: str) -> list[Artifact]: ...
    def receipts(self, scope: Scope, workitem_id: str) -> dict[str, Mapping[str, Any]]: ...


class Crosswalk(Protocol):
    """What pseudonyms stand for."""

    def originals(self, scope: Scope, project: str, study_id: str, pseudonyms: Collection[str]) -> Mapping[str, Original]: ...
    def allows_reidentification(self, scope: Scope, project: str) -> bool: ...


class TemplateShelf(Protocol):
    """Templates by name and version, and which attributes are kept of each instance for them."""

    def find(self, scope: Scope, name: str, version: int | None = None) -> tuple[Template, int]: ...
    def newest(self, scope: Scope) -> list[tuple[Template, int]]: ...
    def kept(self, scope: Scope) -> tuple[frozenset[str], int]: ...


class History(Protocol):
    """Every move that was made."""

    def history(self, scope: Scope, item_ids: Iterable[str]) -> list[Move]: ...


class Vault(Protocol):
    """The packs, for reading."""

    def read_at(self, pack_id: str, offset: int, size: int) -> bytes: ...
    def stream(self, member: StoredBytes) -> Iterator[bytes]: ...
    def mapped(self, member: StoredBytes) -> memoryview: ...


class MemberWriter(Protocol):
    """One member of a pack while it is written; its note counts as it is at `commit`."""

    note: MemberNote

    def write(self, chunk: bytes) -> None: ...
    def commit(self) -> StoredMember: ...
    def abandon(self) -> None: ...


class Batch(Protocol):
    """Members that become visible all or none."""

    def add(self, note: MemberNote) -> MemberWriter: ...
    def commit(self) -> list[StoredMember]: ...


class Pool(Protocol):
    """Open packs, for writing."""

    def batch(self) -> AbstractContextManager[Batch]: ...


@dataclass(frozen=True, slots=True)
class Tools:
    """Everything a stage is handed.

    Args:
        proofs, checks, actions, processors, destinations: the parts by kind, as their packages' `__init__.py` describe them.
        profile: a de-identification profile by its name; NotFoundError where there is none, InvalidError where it is wrong.
        keys: the projects' secrets.
        private_vrs: path -> VR of private attributes that no dictionary knows.
        several_run_all: several templates that match a study all run; else a person chooses.
        limits: what a processor may use (`processors.Limits`).
        decoder: makes what decodes the pixels of one study (`checks.PixelDecoder`) out of these tools.
        darken: makes what makes regions of compressed frames dark (`deidentification.pixels.Darken`) out of these tools.
        asker: makes what asks programs for their opinion (`checks.ToolRunner`), likewise.
        accepted: what people accept of a project's findings.
        accepted_everywhere: what the site's settings accept.
        scratch: a folder for what a stage needs on disk for a while; each use makes a folder of its own there.
        sampling_key: whoever knows it can tell beforehand which results are reviewed as a sample.
        check_stop: raises when this worker is to stop, or has lost its item; to be called between steps that can be repeated.
        until_stopped: while its context is open, either of them calls the function it was given.
    """

    scope: Scope
    clock: Callable[[], datetime]
    intakes: Intakes
    registrar: Registrar
    catalogue: Catalogue
    crosswalk: Crosswalk
    templates: TemplateShelf
    private_vrs: Callable[[], Mapping[str, str]]
    history: History
    vault: Vault
    deidentified_pool: Pool
    results_pool: Pool
    proofs: Mapping[str, Any]
    checks: Mapping[str, Any]
    actions: Mapping[str, Any]
    profile: Callable[[str], Profile]
    keys: Keys
    operators: Operators
    processors: Mapping[str, Any]
    destinations: Mapping[str, Any]
    limits: Any
    decoder: Callable[["Tools"], Any]
    darken: Callable[["Tools"], Any]
    asker: Callable[["Tools"], Any]
    accepted: Callable[[Scope, str], Sequence[Acceptance]]
    accepted_everywhere: Sequence[Acceptance]
    several_run_all: bool
    scratch: Path
    sampling_key: bytes
    check_stop: Callable[[], None] = lambda: None
    until_stopped: Callable[[Callable[[], None]], AbstractContextManager[None]] = lambda _cancel: nullcontext()
