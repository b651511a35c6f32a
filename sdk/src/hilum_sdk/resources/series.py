"""Series: list, explain, choose by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar
from urllib.parse import urlencode

from hilum_sdk.drivers import Driver
from hilum_sdk.models import Assigned, DeidentificationPreview, Explanation, Page, Series
from hilum_sdk.operations import Listing, Operation, Query, Resource
from hilum_sdk.session import parse, path_of

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
    async def preview_deidentification(self, series_id: str, profile: str = "basic", instance: str = "") -> DeidentificationPreview:
        """What a profile would do to an instance of the series, the first unless its SOP Instance UID is given; nothing is kept of it."""
        path = f"{path_of('series', series_id, 'deidentification')}?{urlencode({'profile': profile, 'instance': instance})}"
        return await self._session.fetch(DeidentificationPreview, "GET", path)

    @Operation
    async def assign(
        self, series: Sequence[str], template: str, roles: Mapping[str, str] | None = None, *, again: bool = False
    ) -> Sequence[Assigned]:
        """Choose a template for series by hand and send them off, one answer a series.

        Args:
            roles: series -> its role, where the template's rules would not find it.
            again: also what was done with the same version of the template already.
        """
        body = {"series": [*series], "template": template, "roles": dict(roles or {}), "again": again}
        page = await self._session.fetch(Page, "POST", "/series/assign", json=body)
        return [parse(Assigned, one) for one in page.items]
