"""PS3.8 9.2: the state machine of the DICOM upper layer protocol, as data, with the standard's own labels.

    TRANSITIONS["Evt12", "Sta7"]    "AR-8"
    ACTIONS["AR-8"].wording         "Issue A-RELEASE indication (release collision): ..."

Everything that moves an association from one state to another is in this file. `association` does what an action's effects say and
nothing else. A pair that is not in TRANSITIONS cannot happen: it is a LocalProtocolError.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

# PS3.8 Tables 9-1 to 9-5
STATES: Final = {
    "Sta1": "Idle",
    "Sta2": "Transport connection open (Awaiting A-ASSOCIATE-RQ PDU)",
    "Sta3": "Awaiting local A-ASSOCIATE response primitive (from local user)",
    "Sta4": "Awaiting transport connection opening to complete (from local transport service)",
    "Sta5": "Awaiting A-ASSOCIATE-AC or A-ASSOCIATE-RJ PDU",
    "Sta6": "Association established and ready for data transfer",
    "Sta7": "Awaiting A-RELEASE-RP PDU",
    "Sta8": "Awaiting local A-RELEASE response primitive (from local user)",
    "Sta9": "Release collision requestor side; awaiting A-RELEASE response (from local user)",
    "Sta10": "Release collision acceptor side; awaiting A-RELEASE-RP PDU",
    "Sta11": "Release collision requestor side; awaiting A-RELEASE-RP PDU",
    "Sta12": "Release collision acceptor side; awaiting A-RELEASE response primitive (from local user)",
    "Sta13": "Awaiting Transport Connection Close Indication (Association no longer exists)",
}

# PS3.8 Table 9-10, the events
EVENTS: Final = {
    "Evt1": "A-ASSOCIATE Request (local user)",
    "Evt2": "Transport Conn. Confirmation (local transport service)",
    "Evt3": "A-ASSOCIATE-AC PDU (received on transport connection)",
    "Evt4": "A-ASSOCIATE-RJ PDU (received on transport connection)",
    "Evt5": "Transport Connection Indication (local transport service)",
    "Evt6": "A-ASSOCIATE-RQ PDU (on transport connection)",
    "Evt7": "A-ASSOCIATE response primitive (accept)",
    "Evt8": "A-ASSOCIATE response primitive (reject)",
    "Evt9": "P-DATA request primitive",
    "Evt10": "P-DATA-TF PDU",
    "Evt11": "A-RELEASE Request primitive",
    "Evt12": "A-RELEASE-RQ PDU (on open connection)",
    "Evt13": "A-RELEASE-RP PDU",
    "Evt14": "A-RELEASE Response primitive",
    "Evt15": "A-ABORT Request primitive",
    "Evt16": "A-ABORT PDU (on open connection)",
    "Evt17": "Transport connection closed indication (local transport service)",
    "Evt18": "ARTIM timer expired (Association reject/release timer)",
    "Evt19": "Unrecognized or invalid PDU received",
}


class Effect(Enum):
    """What an action does to the world; `association` has a line for each."""

    CONNECT = auto()
    SEND = auto()  # the PDU that came with the event
    SEND_USER_ABORT = auto()  # A-ABORT, source service-user
    SEND_PROVIDER_ABORT = auto()  # A-ABORT, source service-provider
    INDICATE = auto()  # the indication or confirmation that came with the event
    INDICATE_PROVIDER_ABORT = auto()  # A-P-ABORT: the peer's fault is raised, see `Association.next_event`
    START_ARTIM = auto()
    STOP_ARTIM = auto()
    CLOSE = auto()


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state an action ends in and what it does on the way, in the order of its wording."""

    next_state: str
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True, slots=True)
class Action:
    """One row of PS3.8 Tables 9-6 to 9-9: the standard's wording, and what follows from it.

    `otherwise` is the second outcome of the two actions that ask a question: whether the request is acceptable (AE-6),
    whether this side is the association-requestor (AR-8).
    """

    wording: str
    outcome: Outcome
    otherwise: Outcome | None = None


_CONNECT, _SEND, _INDICATE, _CLOSE = Effect.CONNECT, Effect.SEND, Effect.INDICATE, Effect.CLOSE
_START, _STOP = Effect.START_ARTIM, Effect.STOP_ARTIM
_USER_ABORT, _PROVIDER_ABORT, _P_ABORT = Effect.SEND_USER_ABORT, Effect.SEND_PROVIDER_ABORT, Effect.INDICATE_PROVIDER_ABORT

ACTIONS: Final = {
    # PS3.8 Table 9-6, association establishment
    "AE-1": Action("Issue TRANSPORT CONNECT request primitive to local transport service", Outcome("Sta4", (_CONNECT,))),
    "AE-2": Action("Send A-ASSOCIATE-RQ-PDU", Outcome("Sta5", (_SEND,))),
    "AE-3": Action("Issue A-ASSOCIATE confirmation (accept) primitive", Outcome("Sta6", (_INDICATE,))),
    "AE-4": Action(
        "Issue A-ASSOCIATE confirmation (reject) primitive and close transport connection",
        Outcome("Sta1", (_INDICATE, _CLOSE)),
    ),
    "AE-5": Action("Issue Transport connection response primitive; start ARTIM timer", Outcome("Sta2", (_START,))),
    "AE-6": Action(
        "Stop ARTIM timer and if A-ASSOCIATE-RQ acceptable by service-provider: issue A-ASSOCIATE indication primitive; "
        "otherwise: issue A-ASSOCIATE-RJ-PDU and start ARTIM timer",
        Outcome("Sta3", (_STOP, _INDICATE)),
        # The indication is ours, so that a refusal that never reached the service-user is known all the same.
        otherwise=Outcome("Sta13", (_STOP, _SEND, _INDICATE, _START)),
    ),
    "AE-7": Action("Send A-ASSOCIATE-AC PDU", Outcome("Sta6", (_SEND,))),
    "AE-8": Action("Send A-ASSOCIATE-RJ PDU and start ARTIM timer", Outcome("Sta13", (_SEND, _START))),
    # PS3.8 Table 9-7, data transfer
    "DT-1": Action("Send P-DATA-TF PDU", Outcome("Sta6", (_SEND,))),
    "DT-2": Action("Send P-DATA indication primitive", Outcome("Sta6", (_INDICATE,))),
    # PS3.8 Table 9-8, association release
    "AR-1": Action("Send A-RELEASE-RQ PDU", Outcome("Sta7", (_SEND,))),
    "AR-2": Action("Issue A-RELEASE indication primitive", Outcome("Sta8", (_INDICATE,))),
    "AR-3": Action("Issue A-RELEASE confirmation primitive, and close transport connection", Outcome("Sta1", (_INDICATE, _CLOSE))),
    "AR-4": Action("Issue A-RELEASE-RP PDU and start ARTIM timer", Outcome("Sta13", (_SEND, _START))),
    "AR-5": Action("Stop ARTIM timer", Outcome("Sta1", (_STOP,))),
    "AR-6": Action("Issue P-DATA indication", Outcome("Sta7", (_INDICATE,))),
    "AR-7": Action("Issue P-DATA-TF PDU", Outcome("Sta8", (_SEND,))),
    "AR-8": Action(
        "Issue A-RELEASE indication (release collision): if association-requestor, next state is Sta9, if not next state is Sta10",
        Outcome("Sta9", (_INDICATE,)),
        otherwise=Outcome("Sta10", (_INDICATE,)),
    ),
    "AR-9": Action("Send A-RELEASE-RP PDU", Outcome("Sta11", (_SEND,))),
    "AR-10": Action("Issue A-RELEASE confirmation primitive", Outcome("Sta12", (_INDICATE,))),
    # PS3.8 Table 9-9, association abort
    "AA-1": Action(
        "Send A-ABORT PDU (service-user source) and start (or restart if already started) ARTIM timer",
        Outcome("Sta13", (_USER_ABORT, _START)),
    ),
    "AA-2": Action("Stop ARTIM timer if running. Close transport connection", Outcome("Sta1", (_STOP, _CLOSE))),
    "AA-3": Action(
        "If (service-user initiated abort): issue A-ABORT indication and close transport connection; "
        "otherwise (service-provider initiated abort): issue A-P-ABORT indication and close transport connection",
        Outcome("Sta1", (_INDICATE, _CLOSE)),
    ),
    "AA-4": Action("Issue A-P-ABORT indication primitive", Outcome("Sta1", (_INDICATE,))),
    "AA-5": Action("Stop ARTIM timer", Outcome("Sta1", (_STOP,))),
    "AA-6": Action("Ignore PDU", Outcome("Sta13")),
    "AA-7": Action("Send A-ABORT PDU", Outcome("Sta13", (_PROVIDER_ABORT,))),
    "AA-8": Action(
        "Send A-ABORT PDU (service-provider source), issue an A-P-ABORT indication and start ARTIM timer",
        Outcome("Sta13", (_PROVIDER_ABORT, _P_ABORT, _START)),
    ),
}

# PS3.8 Table 9-10, every filled cell: 123 of 19 events in 13 states
TRANSITIONS: Final = {
    ("Evt1", "Sta1"): "AE-1",
    ("Evt2", "Sta4"): "AE-2",
    ("Evt3", "Sta2"): "AA-1",
    ("Evt3", "Sta3"): "AA-8",
    ("Evt3", "Sta5"): "AE-3",
    ("Evt3", "Sta6"): "AA-8",
    ("Evt3", "Sta7"): "AA-8",
    ("Evt3", "Sta8"): "AA-8",
    ("Evt3", "Sta9"): "AA-8",
    ("Evt3", "Sta10"): "AA-8",
    ("Evt3", "Sta11"): "AA-8",
    ("Evt3", "Sta12"): "AA-8",
    ("Evt3", "Sta13"): "AA-6",
    ("Evt4", "Sta2"): "AA-1",
    ("Evt4", "Sta3"): "AA-8",
    ("Evt4", "Sta5"): "AE-4",
    ("Evt4", "Sta6"): "AA-8",
    ("Evt4", "Sta7"): "AA-8",
    ("Evt4", "Sta8"): "AA-8",
    ("Evt4", "Sta9"): "AA-8",
    ("Evt4", "Sta10"): "AA-8",
    ("Evt4", "Sta11"): "AA-8",
    ("Evt4", "Sta12"): "AA-8",
    ("Evt4", "Sta13"): "AA-6",
    ("Evt5", "Sta1"): "AE-5",
    ("Evt6", "Sta2"): "AE-6",
    ("Evt6", "Sta3"): "AA-8",
    ("Evt6", "Sta5"): "AA-8",
    ("Evt6", "Sta6"): "AA-8",
    ("Evt6", "Sta7"): "AA-8",
    ("Evt6", "Sta8"): "AA-8",
    ("Evt6", "Sta9"): "AA-8",
    ("Evt6", "Sta10"): "AA-8",
    ("Evt6", "Sta11"): "AA-8",
    ("Evt6", "Sta12"): "AA-8",
    ("Evt6", "Sta13"): "AA-7",
    ("Evt7", "Sta3"): "AE-7",
    ("Evt8", "Sta3"): "AE-8",
    ("Evt9", "Sta6"): "DT-1",
    ("Evt9", "Sta8"): "AR-7",
    ("Evt10", "Sta2"): "AA-1",
    ("Evt10", "Sta3"): "AA-8",
    ("Evt10", "Sta5"): "AA-8",
    ("Evt10", "Sta6"): "DT-2",
    ("Evt10", "Sta7"): "AR-6",
    ("Evt10", "Sta8"): "AA-8",
    ("Evt10", "Sta9"): "AA-8",
    ("Evt10", "Sta10"): "AA-8",
    ("Evt10", "Sta11"): "AA-8",
    ("Evt10", "Sta12"): "AA-8",
    ("Evt10", "Sta13"): "AA-6",
    ("Evt11", "Sta6"): "AR-1",
    ("Evt12", "Sta2"): "AA-1",
    ("Evt12", "Sta3"): "AA-8",
    ("Evt12", "Sta5"): "AA-8",
    ("Evt12", "Sta6"): "AR-2",
    ("Evt12", "Sta7"): "AR-8",
    ("Evt12", "Sta8"): "AA-8",
    ("Evt12", "Sta9"): "AA-8",
    ("Evt12", "Sta10"): "AA-8",
    ("Evt12", "Sta11"): "AA-8",
    ("Evt12", "Sta12"): "AA-8",
    ("Evt12", "Sta13"): "AA-6",
    ("Evt13", "Sta2"): "AA-1",
    ("Evt13", "Sta3"): "AA-8",
    ("Evt13", "Sta5"): "AA-8",
    ("Evt13", "Sta6"): "AA-8",
    ("Evt13", "Sta7"): "AR-3",
    ("Evt13", "Sta8"): "AA-8",
    ("Evt13", "Sta9"): "AA-8",
    ("Evt13", "Sta10"): "AR-10",
    ("Evt13", "Sta11"): "AR-3",
    ("Evt13", "Sta12"): "AA-8",
    ("Evt13", "Sta13"): "AA-6",
    ("Evt14", "Sta8"): "AR-4",
    ("Evt14", "Sta9"): "AR-9",
    ("Evt14", "Sta12"): "AR-4",
    ("Evt15", "Sta3"): "AA-1",
    ("Evt15", "Sta4"): "AA-2",
    ("Evt15", "Sta5"): "AA-1",
    ("Evt15", "Sta6"): "AA-1",
    ("Evt15", "Sta7"): "AA-1",
    ("Evt15", "Sta8"): "AA-1",
    ("Evt15", "Sta9"): "AA-1",
    ("Evt15", "Sta10"): "AA-1",
    ("Evt15", "Sta11"): "AA-1",
    ("Evt15", "Sta12"): "AA-1",
    ("Evt16", "Sta2"): "AA-2",
    ("Evt16", "Sta3"): "AA-3",
    ("Evt16", "Sta5"): "AA-3",
    ("Evt16", "Sta6"): "AA-3",
    ("Evt16", "Sta7"): "AA-3",
    ("Evt16", "Sta8"): "AA-3",
    ("Evt16", "Sta9"): "AA-3",
    ("Evt16", "Sta10"): "AA-3",
    ("Evt16", "Sta11"): "AA-3",
    ("Evt16", "Sta12"): "AA-3",
    ("Evt16", "Sta13"): "AA-2",
    ("Evt17", "Sta2"): "AA-5",
    ("Evt17", "Sta3"): "AA-4",
    ("Evt17", "Sta4"): "AA-4",
    ("Evt17", "Sta5"): "AA-4",
    ("Evt17", "Sta6"): "AA-4",
    ("Evt17", "Sta7"): "AA-4",
    ("Evt17", "Sta8"): "AA-4",
    ("Evt17", "Sta9"): "AA-4",
    ("Evt17", "Sta10"): "AA-4",
    ("Evt17", "Sta11"): "AA-4",
    ("Evt17", "Sta12"): "AA-4",
    ("Evt17", "Sta13"): "AR-5",
    ("Evt18", "Sta2"): "AA-2",
    ("Evt18", "Sta13"): "AA-2",
    ("Evt19", "Sta2"): "AA-1",
    ("Evt19", "Sta3"): "AA-8",
    ("Evt19", "Sta5"): "AA-8",
    ("Evt19", "Sta6"): "AA-8",
    ("Evt19", "Sta7"): "AA-8",
    ("Evt19", "Sta8"): "AA-8",
    ("Evt19", "Sta9"): "AA-8",
    ("Evt19", "Sta10"): "AA-8",
    ("Evt19", "Sta11"): "AA-8",
    ("Evt19", "Sta12"): "AA-8",
    ("Evt19", "Sta13"): "AA-7",
}
