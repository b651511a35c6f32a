"""Surprises. Expected trouble is a value (model/outcomes.py); what is raised ends in `Error` and names the mend."""


class HilumError(Exception):
    """A surprise with a sentence for a person and the mend.

    Args:
        sentence: what went wrong, as one sentence without patient data.
        mend: what the reader can do about it; empty where nothing can be done.
    """

    kind = "internal"  # the stable last part of the problem type in the API

    def __init__(self, sentence: str, mend: str = "") -> None:
        super().__init__(f"{sentence} {mend}".strip())
        self.sentence = sentence
        self.mend = mend


class NotFoundError(HilumError):
    """It does not exist, or lies outside the caller's scope: the two look the same on purpose."""

    kind = "not-found"


class ForbiddenError(HilumError):
    """The caller sees it but lacks the right."""

    kind = "forbidden"


class ConflictError(HilumError):
    """It stands otherwise than the caller thinks."""

    kind = "conflict"


class InvalidError(HilumError):
    """What was sent cannot be used."""

    kind = "invalid"


class DigestError(HilumError):
    """The bytes are not those the sender announced."""

    kind = "digest-mismatch"


class StorageFullError(HilumError):
    """The disk is full, or nearly: nothing more is taken."""

    kind = "storage-full"


class StorageError(HilumError):
    """The disk failed; what was not acknowledged must be sent again."""

    kind = "storage"


class MissingKeyError(HilumError):
    """A secret that pseudonyms were made with is not there: another one in its stead would be wrong."""

    kind = "missing-key"


class LeaseLostError(HilumError):
    """Somebody else moved the item while this worker had it; its results are dropped."""

    kind = "lease-lost"
