"""Who broke the protocol: we, or the peer.

UpperLayerError
  LocalProtocolError   our side asked for what the state or the standard does not allow: a bug of ours
  PeerProtocolError    the peer's bytes break the standard or a limit; the A-ABORT is already in `data_to_send()`
"""

from enum import IntEnum


class AbortSource(IntEnum):
    """PS3.8 Table 9-26, Source."""

    SERVICE_USER = 0
    SERVICE_PROVIDER = 2


class AbortReason(IntEnum):
    """PS3.8 Table 9-26, Reason/Diag.; it means something only where the source is the service-provider."""

    NOT_SPECIFIED = 0
    UNRECOGNIZED_PDU = 1
    UNEXPECTED_PDU = 2
    UNRECOGNIZED_PDU_PARAMETER = 4
    UNEXPECTED_PDU_PARAMETER = 5
    INVALID_PDU_PARAMETER_VALUE = 6


class UpperLayerError(Exception):
    """A breach of PS3.7 or PS3.8; the message is a sentence without values a patient could be known by."""


class LocalProtocolError(UpperLayerError):
    """What was asked of this side is not allowed now, or cannot be said in a PDU."""


class PeerProtocolError(UpperLayerError):
    """The peer broke the standard or a limit.

    Args:
        sentence: what the peer did.
        abort_source: the source in the A-ABORT that answers it (PS3.8 9.3.8).
        abort_reason: the reason in it; 0 where the source is the service-user.
    """

    def __init__(
        self,
        sentence: str,
        abort_source: int = AbortSource.SERVICE_PROVIDER,
        abort_reason: int = AbortReason.INVALID_PDU_PARAMETER_VALUE,
    ) -> None:
        super().__init__(sentence)
        self.abort_source = abort_source
        self.abort_reason = abort_reason
