"""The statuses this door answers with, and refusals of C-STORE as values (PS3.7 C, PS3.4 Table B.2-1)."""

from dataclasses import dataclass
from enum import IntEnum


class Status(IntEnum):
    """PS3.7 C and PS3.4 Table B.2-1."""

    SUCCESS = 0x0000
    INVALID_ATTRIBUTE_VALUE = 0x0106
    PROCESSING_FAILURE = 0x0110
    NO_SUCH_SOP_INSTANCE = 0x0112
    INVALID_ARGUMENT_VALUE = 0x0115
    INVALID_SOP_INSTANCE = 0x0117  # "a violation of the UID construction rules"
    NO_SUCH_SOP_CLASS = 0x0118
    SOP_CLASS_NOT_SUPPORTED = 0x0122
    NO_SUCH_ACTION = 0x0123
    NOT_AUTHORIZED = 0x0124
    UNRECOGNIZED_OPERATION = 0x0211
    MISTYPED_ARGUMENT = 0x0212
    RESOURCE_LIMITATION = 0x0213
    OUT_OF_RESOURCES = 0xA700  # A7xx: the sender may try again later
    DISK_FAILED = 0xA701
    TOO_LARGE = 0xA702
    DATA_SET_DOES_NOT_MATCH = 0xA900  # A9xx: the data set is not what the command says
    CANNOT_UNDERSTAND = 0xC000  # Cxxx: the data set cannot be parsed


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status that is no success, with a sentence of at most 64 characters (PS3.7 E.1, Error Comment). Nothing is kept."""

    status: Status
    sentence: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a C-STORE is answered. `size` are the bytes that are kept, 0 where nothing is."""

    status: Status
    sentence: str = ""
    size: int = 0
