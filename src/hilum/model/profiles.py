"""A de-identification profile: PS3.15's Basic Profile with options, and what the project wants otherwise. See docs/deidentification.md."""

import hashlib
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from hilum.dicom.confidentiality import Option
from hilum.model.rules import Strict
from hilum.model.templates import NAME_PATTERN

KEEP = "keep"
"""The profile that changes nothing: the copies are the originals."""

BASIC = "basic"


class Override(Strict):
    """What becomes of some attributes, whatever the table says. Of several that fit, the first one counts.

    Exactly one of the first four says which attributes are meant.

    Args:
        attribute: a keyword or `(gggg,eeee)`.
        pattern: eight characters, `x` for any digit: `0040Axxx`.
        group: four digits: `0040`.
        private_creator: all that this creator put into the object.
        action: the kind of an action, as its file says.
    """

    attribute: str = ""
    pattern: str = Field("", pattern=r"^([0-9A-Fa-fx]{8})?$")
    group: str = Field("", pattern=r"^([0-9A-Fa-f]{4})?$")
    private_creator: str = ""
    action: str
    settings: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_one(self) -> "Override":
        if sum(bool(named) for named in (self.attribute, self.pattern, self.group, self.private_creator)) != 1:
            raise ValueError("name exactly one of attribute, pattern, group and private_creator")
        return self


class SafePrivate(Strict):
    """A private element that the site knows to be safe: PS3.15 E.3.10.

    Args:
        element: `(gggg,xxee)` as its creator documents it, such as `(0019,xx0C)`.
        vr: what its values are; sequences and unknown bytes are not taken.
    """

    private_creator: str = Field(min_length=1)
    element: str = Field(pattern=r"^\([0-9A-Fa-f]{3}[13579BDFbdf],xx[0-9A-Fa-f]{2}\)$")
    vr: str = Field(pattern=r"^(AE|AS|AT|CS|DS|FD|FL|IS|LO|LT|SH|SL|SS|ST|SV|UC|UL|US|UT|UV)$")

    @property
    def group(self) -> int:
        return int(self.element[1:5], 16)

    @property
    def low_byte(self) -> int:
        return int(self.element[8:10], 16)


Scalar = str | int | float
_ACTIONS = ("blank", "keep_ultrasound_regions", "clean", "hold", "remove")


class PixelRule(Strict):
    """What is done with the pixels of some images. Of several that fit, the first one counts; exactly one of the last five is said.

    Args:
        name: stands in reports.
        where: attribute -> the value, or the values, of which the image has one; all of them hold. Text without regard to case.
        frames: those that are blanked, counted from 1; none: all.
        blank: rectangles made dark, `[left, top, width, height]` in pixels, from 0.
        keep_ultrasound_regions: all is made dark but the regions that (0018,6011) names.
        clean: the site knows that such images show no identity: they pass as they are.
    """

    name: str = Field(pattern=NAME_PATTERN)
    where: dict[str, Scalar | tuple[Scalar, ...]] = Field(min_length=1)
    frames: frozenset[Annotated[int, Field(ge=1)]] = frozenset()
    blank: tuple[tuple[int, int, int, int], ...] = Field((), max_length=100)
    keep_ultrasound_regions: bool = False
    clean: bool = False
    hold: bool = False
    remove: bool = False

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> "PixelRule":
        if sum(bool(getattr(self, action)) for action in _ACTIONS) != 1:
            raise ValueError(f"say exactly one of {', '.join(_ACTIONS)}")
        if self.frames and self.action not in _ACTIONS[:2]:
            raise ValueError("frames are named for what blanks")
        if self.blank:
            self._check_regions(self.where.get("Rows"), self.where.get("Columns"))
        return self

    def _check_regions(self, rows: Any, columns: Any) -> None:
        if not isinstance(rows, int) or not isinstance(columns, int):
            raise ValueError("name Rows and Columns, one number each: in an image of another size the text stands elsewhere")  # noqa: TRY004
        for left, top, width, height in self.blank:
            if left < 0 or top < 0 or width < 1 or height < 1 or left + width > columns or top + height > rows:
                raise ValueError(f"the region [{left}, {top}, {width}, {height}] is not within an image of {columns} by {rows}")

    @property
    def action(self) -> str:
        """Which of the five."""
        return next(action for action in _ACTIONS if getattr(self, action))


class Profile(Strict):
    """One version of a profile.

    Args:
        changes_nothing: the copies are the originals; nothing else may be said then.
        times: of day, where dates are shifted.
        encapsulated_documents: PDF, CDA and models: a person must look, or they are not delivered.
        pixels: where identities are burned into images. What no rule fits passes, or is held where its kind often shows identities.
        uid_root: new UIDs stand under it; empty: 2.25 (PS3.5 B.2).
    """

    name: str = Field(pattern=NAME_PATTERN)
    version: int = Field(1, ge=1)
    title: str = ""
    description: str = ""
    changes_nothing: bool = False
    options: frozenset[Option] = frozenset()
    times: Literal["keep", "zero"] = "keep"
    encapsulated_documents: Literal["hold", "remove"] = "hold"
    uid_root: str = Field("", pattern=r"^((0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*)?$", max_length=24)
    overrides: tuple[Override, ...] = ()
    safe_private: tuple[SafePrivate, ...] = ()
    pixels: tuple[PixelRule, ...] = ()

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> "Profile":
        if self.changes_nothing and (self.options or self.overrides or self.safe_private or self.pixels):
            raise ValueError("a profile that changes nothing has no options, overrides, safe private elements or rules for pixels")
        if {Option.RETAIN_FULL_DATES, Option.RETAIN_MODIFIED_DATES} <= self.options:
            raise ValueError("dates are kept in full or modified, not both")  # PS3.15 E.3.6
        if len({rule.name for rule in self.pixels}) < len(self.pixels):
            raise ValueError("two rules for pixels have the same name")
        if self.safe_private and Option.RETAIN_SAFE_PRIVATE not in self.options:
            raise ValueError("safe private elements need the option retain-safe-private")
        return self

    @property
    def digest(self) -> str:
        """The first 16 digits of the SHA-256 of what it says: two profiles of one name and version can be told apart."""
        said = self.model_dump_json(exclude={"title", "description", "options"}) + ",".join(sorted(self.options))
        return hashlib.sha256(said.encode()).hexdigest()[:16]
