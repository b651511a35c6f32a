"""When a person must look at results before they are delivered: the review policy of a template.

review: always                                       # the short form
review: {policy: sample, percent: 10, four_eyes: true}
review:
  policy: on-quality
  quality:
    - {value: "series[*].signal_to_noise", at_least: 20}      # of image_quality.json, where no other file is named
    - {file: qc.json, value: coverage_mm.slices, at_least: 120, at_most: 260}
"""

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, SerializerFunctionWrapHandler, model_serializer, model_validator
from pydantic_core import CoreSchema

Policy = Literal["never", "always", "on-warning", "sample", "on-quality"]

VALUE_PATTERN = r"^[A-Za-z_]\w*(\[(\*|\d{1,6})\])?(\.[A-Za-z_]\w*(\[(\*|\d{1,6})\])?){0,15}$"
LARGEST = 1e300  # of a figure
_PART = re.compile(r"(\w+)(?:\[(\*|\d+)\])?")


class QualityLimit(BaseModel):
    """A figure of a result file that must lie within bounds, else a person looks.

    `value` leads through the JSON: names with dots between them, `[0]` for one element of a list, `[*]` for each of them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str = Field("image_quality.json", pattern=r"^[A-Za-z0-9_][A-Za-z0-9 ._+-]{0,254}$")
    value: str = Field(pattern=VALUE_PATTERN, examples=["series[*].signal_to_noise"])
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _is_a_limit(self) -> "QualityLimit":
        if self.at_least is None and self.at_most is None:
            raise ValueError("A quality limit needs at_least or at_most.")
        return self

    def trouble(self, record: Any) -> str:
        """Why `record`, the file's JSON, asks for a person; empty where every value is within the bounds."""
        found = list(_values(record, self.value))
        if not found:
            return f"{self.file} has no {self.value}."
        return next((sentence for one in found if (sentence := self._judge(one))), "")

    def _judge(self, value: Any) -> str:
        if not _is_figure(value):
            return f"{self.value} of {self.file} is no number."
        if self.at_least is not None and value < self.at_least:
            return f"{self.value} of {self.file} is {value:g}, less than {self.at_least:g}."
        if self.at_most is not None and value > self.at_most:
            return f"{self.value} of {self.file} is {value:g}, more than {self.at_most:g}."
        return ""


def _is_figure(value: Any) -> bool:
    # Python reads NaN, Infinity and whole numbers of any length where RFC 8259 has finite numbers.
    return isinstance(value, int | float) and not isinstance(value, bool) and -LARGEST <= value <= LARGEST


def _values(record: Any, path: str) -> Iterator[Any]:
    """What the path leads to; an element without the next name counts as a missing value (None)."""
    places = [record]
    for name, index in _PART.findall(path):
        places = [place.get(name) if isinstance(place, Mapping) else None for place in places]
        if index:
            places = [one for place in places for one in _elements(place, index)]
    yield from places


def _elements(place: Any, index: str) -> list[Any]:
    if not isinstance(place, list):
        return [None]
    return place if index == "*" else place[int(index) : int(index) + 1] or [None]


class ReviewPolicy(BaseModel):
    """Who looks at results before they go out.

    Args:
        policy: never; always; on-warning: a finding of a check that is more than a remark; sample: of `percent` of the studies;
            on-quality: a figure of the results lies outside `quality`.
        four_eyes: two different people must accept.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    policy: Policy = "never"
    percent: float | None = Field(None, gt=0, le=100)
    quality: tuple[QualityLimit, ...] = ()
    four_eyes: bool = False

    @model_validator(mode="before")
    @classmethod
    def _from_word(cls, value: Any) -> Any:
        return {"policy": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _fits(self) -> "ReviewPolicy":
        if (self.policy == "sample") != (self.percent is not None):
            raise ValueError("`percent` belongs to the policy sample, which needs it.")
        if (self.policy == "on-quality") != bool(self.quality):
            raise ValueError("`quality` belongs to the policy on-quality, which needs it.")
        return self

    @model_serializer(mode="wrap")
    def _as_word(self, whole: SerializerFunctionWrapHandler) -> Any:
        """A policy that is a word alone stays one: `review: always`."""
        return self.policy if self == ReviewPolicy.model_construct(policy=self.policy) else whole(self)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"enum": ["never", "always", "on-warning"]}, handler(schema)]}


def place_in_sample(key: bytes, *names: str) -> float:
    """A place from 0 to below 100 that only the holder of `key` can tell beforehand, and that is the same each time."""
    digest = hmac.new(key, "\0".join(names).encode(), hashlib.sha256).digest()
    return int.from_bytes(digest[:8]) / 2**64 * 100
