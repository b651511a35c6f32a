"""The secrets that pseudonyms are made with: one a project, with those it had before."""

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ProjectKey:
    """One secret of a project.

    Args:
        id: stands in every row of the crosswalk; tells nothing of the secret.
        secret: 32 bytes.
    """

    id: str
    secret: bytes = field(repr=False)

    @classmethod
    def of_secret(cls, secret: bytes) -> "ProjectKey":
        """A key; its id is made of the secret, so that the same secret has the same id wherever it lies."""
        return cls(hmac.new(secret, b"hilum key id", hashlib.sha256).hexdigest()[:16], secret)

    def derive(self, purpose: str) -> bytes:
        """A secret of 32 bytes for one purpose: HMAC-SHA-256 (RFC 2104), so that none tells another."""
        return hmac.new(self.secret, f"hilum {purpose}".encode(), hashlib.sha256).digest()


class Keys(Protocol):
    """Where projects' keys are found."""

    def find(self, project: str) -> list[ProjectKey]:
        """All keys of a project, the one to work with last; none where it has none.

        Raises:
            HilumError: they are there and cannot be used.
        """
        ...
