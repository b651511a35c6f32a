"""A reviewer's ratings of a result: overall, and of each structure, in the lists of seed 001 (DRAW).

    {"overall": 7, "minutes": 12.5,
     "structures": {"Parotid_L": {"rating": 8, "modification": "MINOR_MODIFICATION", "types": ["irregular-outline"]},
                    "Spinal cord": 10}}

A mapping of structures to numbers alone, {"Parotid_L": 8}, is the short form of `structures`.
"""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator


class Modification(StrEnum):
    """How much a reviewer had to change a structure."""

    NO_MODIFICATION = "NO_MODIFICATION"
    MINOR_MODIFICATION = "MINOR_MODIFICATION"
    MAJOR_MODIFICATION = "MAJOR_MODIFICATION"
    NOT_SEGMENTED = "NOT_SEGMENTED"


class ModificationType(StrEnum):
    """What was wrong with a structure."""

    EMPTY_CONTOUR_REDRAWN = "empty-contour-redrawn"
    OVERLAP = "overlap"
    IRREGULAR_OUTLINE = "irregular-outline"
    BLOBS_JOINED = "blobs-joined"
    SEGMENTS_IN_OTHER_STRUCTURES = "segments-in-other-structures"
    INCOMPLETE_COVER = "incomplete-cover"
    WRONG_SIDE_COMPLETELY = "wrong-side-completely"
    WRONG_SIDE_PARTIALLY = "wrong-side-partially"
    OUTSIDE_BODY = "outside-body"
    WRONG_REGION = "wrong-region"
    HOLES_FILLED = "holes-filled"


Rating = Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)]
Minutes = Annotated[float, Field(ge=0, le=10_000, allow_inf_nan=False)]
# A structure's name, not a sentence: nothing in it begins a formula, and there is little room to write about a patient.
StructureName = Annotated[str, StringConstraints(pattern=r"^[^\W_][\w .()/+-]{0,63}$")]


class StructureRating(BaseModel):
    """One structure."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rating: Rating | None = None
    modification: Modification | None = None
    types: tuple[ModificationType, ...] = ()
    minutes: Minutes | None = None


def _from_number(value: Any) -> Any:
    return {"rating": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


class Ratings(BaseModel):
    """Of one verdict; `minutes` is the time that the review took."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    overall: Rating | None = None
    minutes: Minutes | None = None
    structures: dict[StructureName, Annotated[StructureRating, BeforeValidator(_from_number)]] = Field(default_factory=dict, max_length=500)

    @model_validator(mode="before")
    @classmethod
    def _from_numbers(cls, value: Any) -> Any:
        if isinstance(value, dict) and value and not set(value) & set(cls.model_fields):
            return {"structures": value}
        return value
