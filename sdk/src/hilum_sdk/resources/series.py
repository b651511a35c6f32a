"""Series: list, explain, choose by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from hilum_sdk.drivers import Driver
from hilum_sdk.models import Explanation, Series, Shape
from hilum_sdk.operations import Listing, Operation, Query, Resource
from hilum_sdk.session import path_of

D = TypeVar("D", bound=Driver)


class SeriesCalls(Resource[D]):
    """`/series`: the series of all studies."""

    @Listing
    def list(self, study: str | None = None) -> Query[Series]:
        """All series, or those of one study."""
        return Query(Series, "/series", {"study": study})

    @Operation
    async def get(self, series_id: str) -> Series:
        """One series."""
        return await self._session.fetch(Series, "GET", path_of("series", series_id))

    @Operation
    async def explain(self, series_id: str) -> Explanation:
        """Why each rule matched the series or did not."""
        return await self._session.fetch(Explanation, "GET", path_of("series", series_id, "explain"))

    @Operation
    async def assign(self, series: Sequence[str], template: str) -> Shape:
        """Choose a template for series by hand and send them off, one result a series."""
        return await self._session.fetch(Shape, "POST", "/series/assign", json={"series": [*series], "template": template})
