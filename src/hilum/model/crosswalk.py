"""The crosswalk: whom and what the pseudonyms of a project stand for, sealed so that only the project's key opens it.

    sealer = Sealer(key, "ward", study.id)
    row = sealer.seal(Original(Named.SERIES, "2.25.17...", uid="1.2.840..."))     # goes into the ledger
    open_row([key], "ward", "2.25.17...", row)                                     # the original again

A row is AES-256-GCM (NIST SP 800-38D) under a secret derived from the project's key. What it is bound to (project, study, pseudonym,
kind) is authenticated with it, so a row that somebody moved to another pseudonym does not open. In clear stand only hashes: of the
pseudonym, to find it by, and of the study under the key, to forget it by.
"""

import hashlib
import hmac
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from hilum.model.errors import HilumError, MissingKeyError
from hilum.model.keys import ProjectKey

DIGEST_BYTES = 16
_NONCE_BYTES = 12  # SP 800-38D 8.2.2: random, 96 bits; 8.3: good for 2^32 rows of one key


class Named(IntEnum):
    """What a pseudonym is the name of; the numbers stand in the ledger."""

    PATIENT = 1
    STUDY = 2
    SERIES = 3
    INSTANCE = 4
    FRAME_OF_REFERENCE = 5
    OTHER = 6  # any other UID that was replaced


RECORDS = frozenset({Named.PATIENT, Named.STUDY})
"""Of these more is known than a UID."""


@dataclass(frozen=True, slots=True)
class Original:
    """What one pseudonym stands for.

    Args:
        uid: the original UID; empty for a patient.
        values: of patients and studies, what their objects said: DICOM keyword -> text, and what `deidentification/originals.py` adds.
    """

    named: Named
    pseudonym: str
    uid: str = field(default="", repr=False)
    values: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class SealedRow:
    """A row of the crosswalk.

    Args:
        digest: finds it by its pseudonym.
        owner: finds all rows of a study, for those who have the key.
        key_id: of the key that opens it.
        sealed: nonce and ciphertext.
    """

    digest: bytes
    owner: bytes
    named: Named
    key_id: str
    sealed: bytes


class Sealer:
    """Seals what pseudonyms of one study stand for.

    Args:
        study_id: ours.
    """

    def __init__(self, key: ProjectKey, project: str, study_id: str) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._cipher = AESGCM(key.derive("crosswalk"))
        self._key_id, self._project, self._owner = key.id, project, owner_of(key, study_id)

    def seal(self, original: Original) -> SealedRow:
        """The row for one pseudonym; sealed twice it looks different, and says the same."""
        nonce = os.urandom(_NONCE_BYTES)
        bound = _bound_to(self._project, self._owner, original.named, original.pseudonym)
        sealed = nonce + self._cipher.encrypt(nonce, _encode(original), bound)
        return SealedRow(digest_of(original.pseudonym), self._owner, original.named, self._key_id, sealed)


def digest_of(pseudonym: str) -> bytes:
    """What a pseudonym is found by. It is no secret, so this is no more than a short name of fixed length."""
    return hashlib.sha256(pseudonym.encode(errors="surrogatepass")).digest()[:DIGEST_BYTES]


def owner_of(key: ProjectKey, study_id: str) -> bytes:
    """What stands for a study: without the key nobody can tell whose rows they are."""
    return hmac.new(key.derive("crosswalk owners"), study_id.encode(), hashlib.sha256).digest()[:DIGEST_BYTES]


def open_row(keys: Sequence[ProjectKey], project: str, pseudonym: str, row: SealedRow) -> Original:
    """What the pseudonym stands for.

    Raises:
        MissingKeyError: its key is not among `keys`. HilumError: the row was damaged or altered.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    key = next((key for key in keys if key.id == row.key_id), None)
    if key is None:
        raise missing_key(project, row.key_id)
    nonce, ciphertext = row.sealed[:_NONCE_BYTES], row.sealed[_NONCE_BYTES:]
    try:
        content = AESGCM(key.derive("crosswalk")).decrypt(nonce, ciphertext, _bound_to(project, row.owner, row.named, pseudonym))
    except InvalidTag as error:
        raise HilumError(f"A row of the crosswalk of {project} was damaged or altered.", "Restore the ledger from a backup.") from error
    return _decode(row.named, pseudonym, content)


def missing_key(project: str, key_id: str) -> MissingKeyError:
    """A key that rows were sealed with is not there."""
    return MissingKeyError(
        f"Project {project} has not the key {key_id}, with which its crosswalk was written.",
        f"Bring {project}.keys back from a copy; `hilum key list {project}` shows what is there. "
        f"If it is lost for ever, an administrator gives its rows up: `hilum crosswalk give-up {key_id} --project {project}`.",
    )


def _bound_to(project: str, owner: bytes, named: Named, pseudonym: str) -> bytes:
    parts = ("hilum crosswalk 1", project, str(int(named)), owner.hex(), pseudonym)
    return "\0".join(parts).encode(errors="surrogatepass")


def _encode(original: Original) -> bytes:
    if original.named in RECORDS:
        return json.dumps({"uid": original.uid, "values": dict(original.values)}).encode()
    return original.uid.encode(errors="surrogatepass")


def _decode(named: Named, pseudonym: str, content: bytes) -> Original:
    if named in RECORDS:
        return Original(named, pseudonym, **json.loads(content))
    return Original(named, pseudonym, content.decode(errors="surrogatepass"))
