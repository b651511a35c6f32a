"""How much a peer may ask of us, and how long it may take: arguments, never constants in the code that obeys them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Lengths are bytes as the PDUs count them, so without a PDU's own six; times are seconds.

    `pdu_length` is what is suffered, `Policy.maximum_length` what is announced: the first may be larger, for peers that count badly.
    """

    pdu_length: int = 0x100000
    associate_length: int = 0x40000
    items: int = 256  # in an A-ASSOCIATE PDU, of types we know or not
    presentation_contexts: int = 128  # PS3.8 9.3.2.2: the odd numbers up to 255
    transfer_syntaxes: int = 128  # in one presentation context
    user_items: int = 1024
    user_identity_length: int = 0x4000
    uid_length: int = 64  # PS3.5 9.1
    command_length: int = 0x4000
    command_elements: int = 64
    receive_buffer_length: int = 0x40000 + 64  # at least 16; one P-DATA-TF PDU of 256 KiB with its headers, in one read
    sent_pdu_length: int = 0x40000  # our longest P-DATA-TF PDU, however much the peer would take

    connection_seconds: float = 30.0
    artim_seconds: float = 30.0
    association_seconds: float = 30.0
    first_command_seconds: float = 60.0
    command_seconds: float = 600.0
    # A begun message must go on by `progress_length` bytes (or end) in `progress_seconds`. Counting bytes and not reads keeps a
    # peer that sends one byte a second from holding an association open for ever.
    progress_seconds: float = 30.0
    progress_length: int = 0x8000
    response_seconds: float = 600.0
    release_seconds: float = 30.0
