"""Items: what a person decides about anything that moves along the stages."""

from __future__ import annotations

from typing import TypeVar

from hilum_sdk.drivers import Driver
from hilum_sdk.models import Item
from hilum_sdk.operations import Operation, Resource
from hilum_sdk.session import path_of

D = TypeVar("D", bound=Driver)


class Items(Resource[D]):
    """`/items`: intakes, studies and workitems alike."""

    @Operation
    async def retry(self, item_id: str) -> Item:
        """Try the stage again in which the item failed or is held."""
        return await self._session.fetch(Item, "POST", path_of("items", item_id, "retry"))

    @Operation
    async def send_back(self, item_id: str, stage: str, reason: str = "") -> Item:
        """Send the item back to an earlier stage."""
        body = {"stage": stage} | ({"reason": reason} if reason else {})
        return await self._session.fetch(Item, "POST", path_of("items", item_id, "send-back"), json=body)

    @Operation
    async def cancel(self, item_id: str, reason: str = "") -> Item:
        """End the item's way for good."""
        return await self._session.fetch(Item, "POST", path_of("items", item_id, "cancel"), json={"reason": reason} if reason else {})
