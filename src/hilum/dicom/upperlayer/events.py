"""What `Association.next_event` says: the indications and confirmations of PS3.8 7, and the DIMSE messages they carry."""

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from hilum.dicom.upperlayer.messages import Message
from hilum.dicom.upperlayer.pdus import AssociateAccept, AssociateRequest


@dataclass(frozen=True, slots=True)
class AssociateRequested:
    """A-ASSOCIATE indication: answer with `accept` or `reject`."""

    request: AssociateRequest


@dataclass(frozen=True, slots=True)
class AssociateAccepted:
    """A-ASSOCIATE confirmation (accept): messages may be sent in `Association.contexts`."""

    response: AssociateAccept


@dataclass(frozen=True, slots=True)
class AssociateRejected:
    """A-ASSOCIATE confirmation (reject), for the requestor; for the acceptor: a request its provider refused (PS3.8 AE-6)."""

    result: int
    source: int
    reason: int


class CommandReceived(NamedTuple):
    """A whole command set.

    Attributes:
        context_id: its presentation context, an accepted one.
        command: the message. Where `faults` says that a UID is missing, it is "".
        has_data_set: whether DataSetFragments follow, up to one that is the last.
        faults: sentences on what breaks PS3.7 yet leaves the message answerable; empty for a correct one.
    """

    context_id: int
    command: Message
    has_data_set: bool
    faults: tuple[str, ...] = ()


class DataSetFragment(NamedTuple):
    """The next bytes of a data set.

    `view` lies in the receive buffer and is released before `next_event` gives None, or by `get_buffer`: write it away or copy it at once.
    It may be empty, and its length odd: a fragment is what has arrived, not what the peer cut.
    """

    context_id: int
    view: memoryview
    is_last: bool


@dataclass(frozen=True, slots=True)
class ReleaseRequested:
    """A-RELEASE indication: call `answer_release` as soon as `may_answer_release`. A message that is not whole will never be.

    `is_collision`: both sides have asked (PS3.8 7.2.2); only then the answer may have to wait for ReleaseConfirmed.
    """

    is_collision: bool


@dataclass(frozen=True, slots=True)
class ReleaseConfirmed:
    """A-RELEASE confirmation."""


@dataclass(frozen=True, slots=True)
class Aborted:
    """A-ABORT (source 0) or A-P-ABORT (source 2) indication, with the peer's reason."""

    source: int
    reason: int


@dataclass(frozen=True, slots=True)
class ConnectionLost:
    """A-P-ABORT indication: the connection was closed while there was an association, or one being made (PS3.8 AA-4)."""


Event: TypeAlias = (
    AssociateRequested
    | AssociateAccepted
    | AssociateRejected
    | CommandReceived
    | DataSetFragment
    | ReleaseRequested
    | ReleaseConfirmed
    | Aborted
    | ConnectionLost
)
