"""What needs a person, and how much stands where."""

from __future__ import annotations

from typing import TypeVar

from hilum_sdk.drivers import Driver
from hilum_sdk.models import Standing, WaitingItem
from hilum_sdk.operations import Listing, Operation, Query, Resource

D = TypeVar("D", bound=Driver)


class Waiting(Resource[D]):
    """`/waiting` and `/standing`."""

    @Listing
    def list(self, project: str | None = None) -> Query[WaitingItem]:
        """What is held or failed, the longest waiting first, with what a person can do about it."""
        return Query(WaitingItem, "/waiting", {"project": project})

    @Operation
    async def standing(self, project: str | None = None) -> Standing:
        """How many items stand where, what has waited longest, and the uploads that were refused in the last day."""
        return await self._session.fetch(Standing, "GET", "/standing", query={"project": project})
