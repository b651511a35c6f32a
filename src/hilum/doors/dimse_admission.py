"""Who may associate, and what AE titles mean: called AE title -> project, calling AE title -> dataset. Pure.

| called AE title                                   | project                        |
|---------------------------------------------------|--------------------------------|
| a project's own AE title, its name or `kp-<name>` | that one                       |
| ours (HILUM)                                      | the setting's                  |
| anything else                                     | rejected 1/1/7, or quarantined |
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from hilum.dicom.upperlayer import AssociateReject, AssociateRequest

PREFIX = "kp-"
DATASET_LENGTH = 64

# PS3.8 Table 9-21: result, source, reason
CALLED_AE_TITLE_NOT_RECOGNIZED = AssociateReject(1, 1, 7)
CALLING_AE_TITLE_NOT_RECOGNIZED = AssociateReject(1, 1, 3)
TEMPORARY_CONGESTION = AssociateReject(2, 3, 1)
LOCAL_LIMIT_EXCEEDED = AssociateReject(2, 3, 2)


@dataclass(frozen=True, slots=True)
class KnownPeer:
    """A row of the table of peers; `addresses` are those its host has now."""

    name: str
    ae_title: str
    host: str
    port: int
    addresses: frozenset[str]
    tls: bool = False
    our_ae_title: str = ""


class NamedProject(Protocol):
    """What is asked of a project."""

    @property
    def name(self) -> str: ...
    @property
    def ae_title(self) -> str: ...
    @property
    def quiet_seconds(self) -> float: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The site's choices.

    Args:
        ae_title: ours; compared without case.
        default_project: whose images they are when we are called by our own title.
        only_peers: only known pairs of calling AE title and address may associate.
        quarantines: images for an unknown project are taken, and set aside in the default project, instead of rejected.
    """

    ae_title: str = "HILUM"
    default_project: str = "admin"
    only_peers: bool = False
    quarantines: bool = False


@dataclass(frozen=True, slots=True)
class Admission:
    """Whose images an association brings.

    Args:
        quiet_seconds: the project's quiet time.
        quarantine: why all of it is set aside; empty where it is not.
    """

    project: str
    dataset: str
    quiet_seconds: float
    quarantine: str = ""


@dataclass(frozen=True, slots=True)
class Rejection:
    """The A-ASSOCIATE-RJ, and why, for the log."""

    response: AssociateReject
    sentence: str


def admit(
    request: AssociateRequest, address: str, rules: Rules, projects: Sequence[NamedProject], peers: Collection[KnownPeer]
) -> Admission | Rejection:
    """Judge one A-ASSOCIATE-RQ by its names and where it comes from.

    Args:
        address: the sender's, as text.
        peers: asked only where `rules.only_peers`.
    """
    if rules.only_peers:
        rejection = _judge_peer(request.calling_ae_title, address, peers)
        if rejection is not None:
            return rejection
    project = find_project(request.called_ae_title, rules, projects)
    dataset = dataset_of(request.calling_ae_title)
    if project is not None:
        return Admission(project.name, dataset, project.quiet_seconds)
    fallback = next((one for one in projects if one.name == rules.default_project), None)
    if rules.quarantines and fallback is not None:
        why = f"It was sent to {request.called_ae_title}, and no project has this name."
        return Admission(fallback.name, dataset, fallback.quiet_seconds, why)
    return Rejection(CALLED_AE_TITLE_NOT_RECOGNIZED, "No project has the called AE title.")


def _judge_peer(ae_title: str, address: str, peers: Collection[KnownPeer]) -> Rejection | None:
    namesakes = [peer for peer in peers if peer.ae_title == ae_title]
    if not namesakes:
        return Rejection(CALLING_AE_TITLE_NOT_RECOGNIZED, "The calling AE title is no peer's.")
    if not any(address in peer.addresses for peer in namesakes):
        return Rejection(CALLING_AE_TITLE_NOT_RECOGNIZED, "The calling AE title is a peer's at another address.")
    return None


def find_project(called_ae_title: str, rules: Rules, projects: Sequence[NamedProject]) -> NamedProject | None:
    """The project that a called AE title names; None where there is none, or more than one.

    Many modalities write capitals only: where no name fits to the letter, one that fits without case is taken if it is the only one.
    """
    if called_ae_title.casefold() == rules.ae_title.casefold():
        return next((project for project in projects if project.name == rules.default_project), None)
    for fold in (str, str.casefold):
        found = [project for project in projects if fold(called_ae_title) in {fold(name) for name in _names(project)}]
        if found:
            return found[0] if len(found) == 1 else None
    return None


def _names(project: NamedProject) -> list[str]:
    return [name for name in (project.ae_title, project.name, f"{PREFIX}{project.name}") if name]


def dataset_of(calling_ae_title: str) -> str:
    """The label that a calling AE title gives its studies: `kp-<dataset>`, or as it is."""
    return (calling_ae_title.removeprefix(PREFIX) or calling_ae_title)[:DATASET_LENGTH]
