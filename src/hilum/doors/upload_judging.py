"""What may stand in an upload: names, datasets, digests, and what the first bytes of a body tell."""

import json
import re

from hilum.dicom.scanner import UnreadableError, Wanted, scan_prefix
from hilum.doors.upload_contract import Bytes, ReceivedFile, Receiving
from hilum.model.errors import DigestError, HilumError, InvalidError

ARCHIVE_STARTS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08", b"PK00")  # APPNOTE 4.3.7, 4.3.16, 8.5.3, 8.5.4
MOST_DATASET_CHARACTERS = 64
MOST_DATASET_BYTES = 128  # stores/packs/layout.py: its part of a member's header
HEAD_BYTES = 1 << 16  # as many first bytes as are looked at for the SOP Instance UID
SHORT_HEAD = 2048  # where it stands in nearly every object
_SOP_INSTANCE_UID = Wanted("SOPInstanceUID")
_UNUSABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


def is_archive(head: Bytes) -> bool:
    """Whether a body is a zip, by its content. PS3.10 7.1: a preamble may hold anything, also what looks like a zip."""
    return bytes(head[:4]) in ARCHIVE_STARTS and bytes(head[128:132]) != b"DICM"


def identify(head: Bytes) -> tuple[str, str]:
    """SOP Instance UID and transfer syntax by the first bytes of an object; empty where they do not tell. Importing judges, not we."""
    for size in (SHORT_HEAD, HEAD_BYTES):
        try:
            header = scan_prefix(bytes(head[:size]), _SOP_INSTANCE_UID)
        except UnreadableError:
            return "", ""
        if header is not None:
            return header.text("SOPInstanceUID") or "", header.recognition.transfer_syntax_uid
        if len(head) <= size:
            break
    return "", ""


def check_digest(receiving: Receiving, file: ReceivedFile, expected_sha256: bytes | None) -> ReceivedFile:
    """The file, unless other bytes were announced: then it is abandoned and DigestError is raised."""
    answer = judge_digest(file, expected_sha256)
    if isinstance(answer, HilumError):
        receiving.abandon()
        raise answer
    return answer


def judge_digest(file: ReceivedFile, expected_sha256: bytes | None) -> ReceivedFile | DigestError:
    """The file, or why it is not what was announced."""
    if expected_sha256 is None or file.sha256 == expected_sha256:
        return file
    return DigestError(f"The bytes have the SHA-256 {file.sha256.hex()}, not {expected_sha256.hex()} as announced.", "Send them again.")


def check_name(name: str, most_bytes: int) -> None:
    """Raise InvalidError unless `name` can stand in a list of files. It never becomes a path."""
    if not name or len(name.encode("utf-8", "surrogatepass")) > most_bytes:
        raise InvalidError(f"A file name has 1 to {most_bytes} bytes.", "Choose a shorter name.")
    if _UNUSABLE.search(name):
        raise InvalidError("The file name holds control characters.", "Choose a name of letters, digits, spaces, dots, dashes and slashes.")


def check_dataset(label: str) -> None:
    """Raise InvalidError unless `label` fits beside a member of a pack, where it stands as JSON text in ASCII."""
    if len(label) > MOST_DATASET_CHARACTERS or len(json.dumps(label)) - len('""') > MOST_DATASET_BYTES:
        raise InvalidError(
            f"The dataset has more than {MOST_DATASET_CHARACTERS} characters, or takes more than {MOST_DATASET_BYTES} bytes as JSON text.",
            "Choose a shorter label; a character that is not ASCII takes six bytes.",
        )
    if _UNUSABLE.search(label):
        raise InvalidError("The dataset holds control characters.", "Choose a label of letters, digits and spaces.")
