"""PS3.5 9: unique identifiers, judged, made and remapped."""

import hashlib
import hmac
import re
import uuid

# PS3.5 9.1: <org root>.<suffix>, so two components or more; a component is 0 or starts with 1-9.
_UID = re.compile(r"(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))+", re.ASCII)
_LONGEST = 64
_UUID_ROOT = "2.25."


def is_valid_uid(text: str) -> bool:
    """Whether `text`, without padding, is a UID by PS3.5 9.1: at most 64 characters, two components or more, no leading zeros.

    That the root arc is 0, 1 or 2 (ISO/IEC 9834-1) is not asked: real objects with other roots exist and name themselves well.
    """
    return len(text) <= _LONGEST and _UID.fullmatch(text) is not None


def new_uid() -> str:
    """A UID nobody has: a random UUID as a decimal number under 2.25 (PS3.5 B.2)."""
    return _UUID_ROOT + str(uuid.uuid4().int)


def remap_uid(key: bytes, uid: str) -> str:
    """The UID that stands for `uid` under `key`: the same for the same two, and not to be undone without the key.

    PS3.15 E.3.9 wants references to stay consistent, so the mapping is a function. HMAC-SHA-256 (RFC 2104), cut to 128 bits and
    stamped as a UUID of version 8 (RFC 9562 5.8) so that the result is a valid UID under 2.25. An empty UID stays empty: there is
    nothing to hide and a new value would claim a reference that was never made.

    Args:
        key: the project's secret, at least 16 bytes.
        uid: any text; an invalid UID is mapped to a valid one. Padding does not count.

    Raises:
        ValueError: the key is too short to keep the mapping secret.
    """
    if len(key) < 16:
        raise ValueError("The key for remapping UIDs has fewer than 16 bytes.")
    bare = uid.strip(" \0")
    if not bare:
        return ""
    digest = hmac.new(key, bare.encode(errors="surrogatepass"), hashlib.sha256).digest()
    return _UUID_ROOT + str(_as_uuid(digest[:16]).int)


def _as_uuid(digest: bytes) -> uuid.UUID:
    number = int.from_bytes(digest, "big")
    number = number & ~(0xF << 76) | 8 << 76
    number = number & ~(0x3 << 62) | 2 << 62
    return uuid.UUID(int=number)
