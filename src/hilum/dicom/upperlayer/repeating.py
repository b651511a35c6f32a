"""What peers say again and again: a modality that opens an association for each image sends the same A-ASSOCIATE-RQ each time.

    repeated = Repeated(limits, policy)                      # one for the associations of a process
    Association(Role.ACCEPTOR, limits, repeated=repeated)    # its AssociateRequested has a request that was decoded once
    repeated.answer(request)                                 # negotiated and encoded once

A request is known by all of its bytes; what is made of them depends on limits and policy alone, and cannot be changed.
"""

from dataclasses import dataclass

from hilum.dicom.upperlayer.items import UserIdentity
from hilum.dicom.upperlayer.limits import Limits
from hilum.dicom.upperlayer.negotiation import Agreement, Policy, agree, negotiate
from hilum.dicom.upperlayer.pdus import A_ASSOCIATE_RQ, PDU, AssociateReject, AssociateRequest, decode_pdu

# 128 contexts with three transfer syntaxes each are 15 KB. A hostile peer can make a request take some ten times its length in memory.
_MOST_BYTES = 1 << 18
_LONGEST_BYTES = 1 << 15


@dataclass(slots=True)
class _Known:
    body: bytes
    request: AssociateRequest
    answer: Agreement | AssociateReject | None = None


class Repeated:
    """The last requests, and their answers. What is not kept is decoded and answered like all the others.

    Args:
        limits: those of the associations.
        policy: what is accepted.
        most: requests that are kept; the one that was not asked for longest goes first.
    """

    def __init__(self, limits: Limits, policy: Policy, most: int = 64) -> None:
        self._limits = limits
        self._policy = policy
        self._most = most
        self._size = 0
        self._by_body: dict[bytes, _Known] = {}  # the last asked for is the last
        self._by_request: dict[int, _Known] = {}  # by `id`: it is that of no other request while this one is kept

    def decode_pdu(self, pdu_type: int, body: memoryview) -> PDU:
        """As `pdus.decode_pdu`; a request is decoded once.

        Raises:
            PeerProtocolError: as that; such a body is never kept.
        """
        return self._decode_request(body) if pdu_type == A_ASSOCIATE_RQ else decode_pdu(pdu_type, body, self._limits)

    def answer(self, request: AssociateRequest) -> Agreement | AssociateReject:
        """What this side answers, by the policy."""
        known = self._by_request.get(id(request))
        if known is None:
            return _answer(request, self._policy)
        if known.answer is None:
            known.answer = _answer(request, self._policy)
        return known.answer

    def _decode_request(self, body: memoryview) -> AssociateRequest:
        if len(body) > _LONGEST_BYTES:
            return AssociateRequest.decode(body, self._limits)
        key = bytes(body)
        known = self._by_body.pop(key, None)
        if known is None:
            request = AssociateRequest.decode(body, self._limits)
            # PS3.7 D.3.3.7: passwords and tickets are kept no longer than they are needed
            if request.user_information.first(UserIdentity) is None:
                self._keep(_Known(key, request))
            return request
        self._by_body[key] = known
        return known.request

    def _keep(self, known: _Known) -> None:
        self._by_body[known.body] = self._by_request[id(known.request)] = known
        self._size += len(known.body)
        while len(self._by_body) > self._most or self._size > _MOST_BYTES:
            oldest = self._by_body.pop(next(iter(self._by_body)))
            del self._by_request[id(oldest.request)]
            self._size -= len(oldest.body)


def _answer(request: AssociateRequest, policy: Policy) -> Agreement | AssociateReject:
    negotiated = negotiate(request, policy)
    return negotiated if isinstance(negotiated, AssociateReject) else agree(request, negotiated)
