"""The DICOM upper layer and DIMSE as a sans-IO core (PS3.8, PS3.7): bytes in, events out, for either side of an association.

limits        how much and how long: arguments                errors        who broke the protocol
items, pdus   PS3.8 9.3 and PS3.7 D.3.3 as dataclasses        states        PS3.8 Table 9-10 as data
messages      PS3.7 9.3 and 10.3 as dataclasses               commandsets   their encoding
receiving     PDUs taken apart while they arrive              fragments     PS3.8 E: messages cut and put in order
negotiation   what an acceptor answers                        events        what an association says
repeating     and has answered before                         association   the one class that joins them
"""

from hilum.dicom.upperlayer.association import Association, Role
from hilum.dicom.upperlayer.errors import AbortReason, AbortSource, LocalProtocolError, PeerProtocolError, UpperLayerError
from hilum.dicom.upperlayer.events import (
    Aborted,
    AssociateAccepted,
    AssociateRejected,
    AssociateRequested,
    CommandReceived,
    ConnectionLost,
    DataSetFragment,
    Event,
    ReleaseConfirmed,
    ReleaseRequested,
)
from hilum.dicom.upperlayer.limits import Limits
from hilum.dicom.upperlayer.negotiation import Agreement, Negotiated, Policy, PresentationContext, Roles, StorageKind, negotiate
from hilum.dicom.upperlayer.pdus import AssociateAccept, AssociateReject, AssociateRequest, UserInformation
from hilum.dicom.upperlayer.repeating import Repeated
from hilum.dicom.upperlayer.waiting import Awaited, Deadline

__all__ = [
    "AbortReason",
    "AbortSource",
    "Aborted",
    "Agreement",
    "AssociateAccept",
    "AssociateAccepted",
    "AssociateReject",
    "AssociateRejected",
    "AssociateRequest",
    "AssociateRequested",
    "Association",
    "Awaited",
    "CommandReceived",
    "ConnectionLost",
    "DataSetFragment",
    "Deadline",
    "Event",
    "Limits",
    "LocalProtocolError",
    "Negotiated",
    "PeerProtocolError",
    "Policy",
    "PresentationContext",
    "ReleaseConfirmed",
    "ReleaseRequested",
    "Repeated",
    "Role",
    "Roles",
    "StorageKind",
    "UpperLayerError",
    "UserInformation",
    "negotiate",
]
