"""What an acceptor answers to an A-ASSOCIATE-RQ: PS3.8 7.1.1 and D.1, PS3.7 D.3.3. Pure: request and policy in, answer out.

policy = Policy(implementation_class_uid="2.25.1", implementation_version_name="EXAMPLE", storage=frozenset(StorageKind))
match negotiate(request, policy):
    case AssociateReject(result, source, reason): association.reject(result, source, reason)
    case negotiated: association.accept(negotiated)
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum, auto
from types import MappingProxyType

from hilum.dicom.part10 import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    GE_PRIVATE_IMPLICIT_VR_BIG_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from hilum.dicom.upperlayer.items import (
    AsynchronousOperationsWindow,
    ImplementationClassUID,
    ImplementationVersionName,
    MaximumLength,
    PresentationContextProposed,
    PresentationContextResult,
    RoleSelection,
    SOPClassCommonExtendedNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentity,
    UserIdentityResponse,
    UserItem,
)
from hilum.dicom.upperlayer.pdus import DICOM_APPLICATION_CONTEXT, AssociateAccept, AssociateReject, AssociateRequest, UserInformation

VERIFICATION = "1.2.840.10008.1.1"
STORAGE_SERVICE_CLASS = "1.2.840.10008.4.2"
UNCOMPRESSED = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)

# PS3.5 10 and A.4: of what a sender offers in one context, native encodings before compressed ones, which only a sender that holds
# the object that way can be sure to have; lossless before lossy. Video and retired processes last.
STORAGE_TRANSFER_SYNTAXES = (
    *UNCOMPRESSED,
    EXPLICIT_VR_BIG_ENDIAN,
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    "1.2.840.10008.1.2.1.98",  # Encapsulated Uncompressed Explicit VR Little Endian
    *(f"1.2.840.10008.1.2.4.{process}" for process in (70, 57, 80, 90, 201, 202, 92)),  # lossless
    "1.2.840.10008.1.2.5",  # RLE Lossless
    *(f"1.2.840.10008.1.2.4.{process}" for process in (50, 51, 81, 91, 203, 93)),  # lossy, or either
    *(f"1.2.840.10008.1.2.4.{codec}" for codec in range(100, 109)),  # MPEG2, MPEG-4 AVC, HEVC
    *(f"1.2.840.10008.1.2.4.{codec}.1" for codec in range(100, 107)),  # the same, fragmentable
    *(f"1.2.840.10008.1.2.4.{process}" for process in (*range(52, 57), *range(58, 67))),  # retired JPEG processes
    *(f"1.2.840.10008.1.2.4.{reference}" for reference in (94, 95, 204, 205)),  # JPIP and JPIP HTJ2K referenced
    GE_PRIVATE_IMPLICIT_VR_BIG_ENDIAN,
    "1.2.840.10008.1.20",  # Papyrus 3 Implicit VR Little Endian
)

_STANDARD_ROOT = "1.2.840.10008."
# PS3.4 B.5 and GG.3: storage SOP classes have their own arc but for a few, and so new editions' are known as well.
_STORAGE_ROOT = "1.2.840.10008.5.1.4.1.1."
_STORAGE_ELSEWHERE = {
    *("1.2.840.10008.5.1.1.29", "1.2.840.10008.5.1.1.30"),  # Hardcopy Image Storage, retired
    *("1.2.840.10008.5.1.4.34.1", "1.2.840.10008.5.1.4.34.7", "1.2.840.10008.5.1.4.34.10"),  # RT Delivery Instruction Storage
    *("1.2.840.10008.5.1.4.38.1", "1.2.840.10008.5.1.4.39.1"),  # Hanging Protocol Storage, Color Palette Storage
    *("1.2.840.10008.5.1.4.43.1", "1.2.840.10008.5.1.4.44.1", "1.2.840.10008.5.1.4.45.1"),  # Implant Template Storage
}
_NOT_STORAGE = {
    *(f"{_STORAGE_ROOT}200.{service}" for service in (4, 5, 6)),  # Protocol Approval FIND, MOVE, GET
    *(f"{_STORAGE_ROOT}201.{service}" for service in (2, 3, 4, 5, 6)),  # Inventory FIND, MOVE, GET, Creation; Repository Query
}
# PS3.5 6.2, AE: the default character repertoire without backslash and control characters
_AE_CHARACTERS = {chr(code) for code in range(0x20, 0x7F)} - {"\\"}


class Result(IntEnum):
    """PS3.8 Table 9-18, Result/Reason of a presentation context."""

    ACCEPTANCE = 0
    USER_REJECTION = 1
    NO_REASON = 2
    ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
    TRANSFER_SYNTAXES_NOT_SUPPORTED = 4


class StorageKind(Enum):
    """Whose storage SOP class an abstract syntax is."""

    STANDARD = auto()
    PRIVATE = auto()  # under another root than DICOM's: taken for storage
    UNKNOWN = auto()  # under DICOM's root, neither storage (as far as we or the sender know) nor one of the policy's services


@dataclass(frozen=True, slots=True)
class Roles:
    """What the requestor may be (PS3.7 D.3.3.4); by default SCU."""

    scu: bool = True
    scp: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What this side accepts.

    Attributes:
        implementation_class_uid: PS3.7 D.3.3.2.1.
        implementation_version_name: 1 to 16 characters.
        services: the transfer syntaxes, in order of preference, by abstract syntax.
        storage: which storage SOP classes are accepted besides.
        storage_transfer_syntaxes: theirs, in order of preference.
        any_transfer_syntax: whether storage also takes one that is not among those; the sender's first.
        maximum_length: the longest P-DATA-TF variable field we want, in bytes; 0: any.
        operations_invoked, operations_performed: what we let the requestor have outstanding (PS3.7 D.3.3.3); 0: any number.
        roles: what the requestor may be, by SOP class.
        service_class_information: our answer to a SOP class extended negotiation, by SOP class (PS3.7 D.3.3.5).
    """

    implementation_class_uid: str
    implementation_version_name: str
    services: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: {VERIFICATION: UNCOMPRESSED})
    storage: frozenset[StorageKind] = frozenset({StorageKind.STANDARD, StorageKind.PRIVATE})
    storage_transfer_syntaxes: tuple[str, ...] = STORAGE_TRANSFER_SYNTAXES
    any_transfer_syntax: bool = False
    maximum_length: int = 0x40000
    operations_invoked: int = 1
    operations_performed: int = 1
    roles: Mapping[str, Roles] = field(default_factory=dict)
    service_class_information: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What goes into the A-ASSOCIATE-AC."""

    presentation_contexts: tuple[PresentationContextResult, ...]
    user_information: UserInformation


@dataclass(frozen=True, slots=True)
class PresentationContext:
    """An accepted context; `roles` are the requestor's, the acceptor's are the opposite ones."""

    context_id: int
    abstract_syntax: str
    transfer_syntax: str
    roles: Roles = Roles()


@dataclass(frozen=True, slots=True)
class Agreement:
    """What follows from an answer: the accepted contexts by their number, and the A-ASSOCIATE-AC as it is sent."""

    contexts: Mapping[int, PresentationContext]
    response: bytes


def storage_kind(abstract_syntax: str, service_class: str = "") -> StorageKind:
    """Whose storage SOP class this would be; `service_class` is what the sender says of it (PS3.7 D.3.3.6)."""
    if not abstract_syntax.startswith(_STANDARD_ROOT):
        return StorageKind.PRIVATE
    in_storage_arc = abstract_syntax.startswith(_STORAGE_ROOT) and abstract_syntax not in _NOT_STORAGE
    is_storage = in_storage_arc or abstract_syntax in _STORAGE_ELSEWHERE or service_class == STORAGE_SERVICE_CLASS
    return StorageKind.STANDARD if is_storage else StorageKind.UNKNOWN


def negotiate(request: AssociateRequest, policy: Policy, server_response: bytes | None = None) -> Negotiated | AssociateReject:
    """Our answer. Who may call whom, and whether a user is who they say, is judged by the service-user before.

    Args:
        request: the peer's.
        policy: ours.
        server_response: the answer to a user identity that was found true (b"" for types 1 and 2); None: it was not looked at,
            and PS3.7 D.3.3.7 has no answer then.
    """
    refusal = _refuse(request)
    if refusal is not None:
        return refusal
    roles = _negotiate_roles(request.user_information, policy)
    service_classes = {
        item.sop_class_uid: item.service_class_uid for item in request.user_information.every(SOPClassCommonExtendedNegotiation)
    }
    results = tuple(
        _judge(context, policy, roles, service_classes.get(context.abstract_syntax, "")) for context in request.presentation_contexts
    )
    return Negotiated(results, UserInformation(tuple(_user_items(request.user_information, policy, roles, server_response))))


def _refuse(request: AssociateRequest) -> AssociateReject | None:
    """PS3.8 Table 9-21, source 1: what no service-user could accept."""
    if request.application_context_name != DICOM_APPLICATION_CONTEXT:
        return AssociateReject(1, 1, 2)
    for title, reason in ((request.called_ae_title, 7), (request.calling_ae_title, 3)):
        # PS3.5 6.2, AE: a value of spaces only is no AE title
        if not title or not _AE_CHARACTERS.issuperset(title):
            return AssociateReject(1, 1, reason)
    return None


def _judge(
    context: PresentationContextProposed, policy: Policy, roles: Mapping[str, Roles], service_class: str
) -> PresentationContextResult:
    """PS3.8 9.3.3.2. Where a context is not accepted its transfer syntax says nothing, but has to be there."""
    first = context.transfer_syntaxes[0]
    wanted = _transfer_syntaxes(context.abstract_syntax, service_class, policy)
    if wanted is None:
        return PresentationContextResult(context.context_id, Result.ABSTRACT_SYNTAX_NOT_SUPPORTED, first)
    # PS3.7 D.3.3.4: roles were proposed, and none of them is one we could serve
    if roles.get(context.abstract_syntax) == Roles(scu=False, scp=False):
        return PresentationContextResult(context.context_id, Result.USER_REJECTION, first)
    is_service = context.abstract_syntax in policy.services
    chosen = next((uid for uid in wanted if uid in context.transfer_syntaxes), None)
    if chosen is None and policy.any_transfer_syntax and not is_service:
        chosen = first
    if chosen is None:
        return PresentationContextResult(context.context_id, Result.TRANSFER_SYNTAXES_NOT_SUPPORTED, first)
    return PresentationContextResult(context.context_id, Result.ACCEPTANCE, chosen)


def _transfer_syntaxes(abstract_syntax: str, service_class: str, policy: Policy) -> tuple[str, ...] | None:
    wanted = policy.services.get(abstract_syntax)
    if wanted is None and storage_kind(abstract_syntax, service_class) in policy.storage:
        return policy.storage_transfer_syntaxes
    return wanted


def _negotiate_roles(information: UserInformation, policy: Policy) -> dict[str, Roles]:
    """PS3.7 D.3.3.4: of what is proposed for a SOP class, what we agree to; never a role that was not proposed."""
    roles = {}
    for proposed in information.every(RoleSelection):
        allowed = policy.roles.get(proposed.sop_class_uid, Roles())
        roles[proposed.sop_class_uid] = Roles(proposed.scu_role and allowed.scu, proposed.scp_role and allowed.scp)
    return roles


def _user_items(
    information: UserInformation, policy: Policy, roles: Mapping[str, Roles], server_response: bytes | None
) -> Iterable[UserItem]:
    yield MaximumLength(policy.maximum_length)
    yield ImplementationClassUID(policy.implementation_class_uid)
    window = information.first(AsynchronousOperationsWindow)
    if window is not None:
        yield AsynchronousOperationsWindow(
            _lesser(window.maximum_number_operations_invoked, policy.operations_invoked),
            _lesser(window.maximum_number_operations_performed, policy.operations_performed),
        )
    for uid, agreed in roles.items():
        yield RoleSelection(uid, agreed.scu, agreed.scp)
    yield ImplementationVersionName(policy.implementation_version_name)
    for asked in information.every(SOPClassExtendedNegotiation):
        answer = policy.service_class_information.get(asked.sop_class_uid)
        # PS3.7 D.3.3.5: no answer where this side does not support it
        if answer is not None:
            yield SOPClassExtendedNegotiation(asked.sop_class_uid, answer)
    identity = information.first(UserIdentity)
    # PS3.7 D.3.3.7: only who asked for a positive response gets one
    if identity is not None and identity.positive_response_requested and server_response is not None:
        yield UserIdentityResponse(server_response)


def _lesser(proposed: int, allowed: int) -> int:
    """PS3.7 D.3.3.3: at most what was proposed; 0 is no limit."""
    return min(proposed, allowed) if proposed and allowed else proposed or allowed


def agree(request: AssociateRequest, negotiated: Negotiated) -> Agreement:
    """The answer, ready to be sent.

    Raises:
        ValueError: as `contexts_of`.
    """
    response = AssociateAccept(
        # PS3.8 9.3.3: the AE titles "shall be sent with a value identical to the value received"
        called_ae_title=request.called_ae_title,
        calling_ae_title=request.calling_ae_title,
        presentation_contexts=negotiated.presentation_contexts,
        user_information=negotiated.user_information,
    )
    contexts = contexts_of(request, negotiated.presentation_contexts, negotiated.user_information)
    return Agreement(MappingProxyType(contexts), response.encode())


def contexts_of(
    request: AssociateRequest, results: Iterable[PresentationContextResult], answer: UserInformation
) -> dict[int, PresentationContext]:
    """The accepted contexts by their number, alike for both sides.

    Raises:
        ValueError: an answer is to a context, or accepts a transfer syntax, that was not proposed.
    """
    proposed = {context.context_id: context for context in request.presentation_contexts}
    roles = _agreed_roles(request.user_information, answer)
    contexts = {}
    for result in results:
        context = proposed.get(result.context_id)
        if context is None:
            raise ValueError(f"Presentation context {result.context_id} was not proposed.")
        if result.result != Result.ACCEPTANCE:
            continue
        if result.transfer_syntax not in context.transfer_syntaxes:
            raise ValueError(f"The transfer syntax accepted for presentation context {result.context_id} was not proposed.")
        agreed = roles.get(context.abstract_syntax, Roles())
        contexts[result.context_id] = PresentationContext(result.context_id, context.abstract_syntax, result.transfer_syntax, agreed)
    return contexts


def _agreed_roles(asked: UserInformation, answer: UserInformation) -> dict[str, Roles]:
    """PS3.7 D.3.3.4: without an answer the default roles hold; a role must be both proposed and agreed to."""
    proposed = {item.sop_class_uid: item for item in asked.every(RoleSelection)}
    return {
        item.sop_class_uid: Roles(
            item.scu_role and proposed[item.sop_class_uid].scu_role, item.scp_role and proposed[item.sop_class_uid].scp_role
        )
        for item in answer.every(RoleSelection)
        if item.sop_class_uid in proposed
    }
