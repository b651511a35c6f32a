"""Templates: the report types with their rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from hilum_sdk.drivers import Driver
from hilum_sdk.models import DryRun, Template
from hilum_sdk.operations import Listing, Operation, Query, Resource
from hilum_sdk.session import path_of

D = TypeVar("D", bound=Driver)


class Templates(Resource[D]):
    """`/templates`."""

    @Listing
    def list(self) -> Query[Template]:
        """All templates, each in its newest version."""
        return Query(Template, "/templates")

    @Operation
    async def get(self, name: str) -> Template:
        """One template in its newest version."""
        return await self._session.fetch(Template, "GET", path_of("templates", name))

    @Operation
    async def create(self, template: Mapping[str, Any]) -> Template:
        """Add a template."""
        return await self._session.fetch(Template, "POST", "/templates", json=dict(template))

    @Operation
    async def update(self, name: str, template: Mapping[str, Any]) -> Template:
        """Add a new version; what runs keeps the version that it started with."""
        return await self._session.fetch(Template, "PUT", path_of("templates", name), json=dict(template))

    @Operation
    async def dry_run(self, name: str, template: Mapping[str, Any] | None = None, days: int = 30) -> DryRun:
        """What a draft (or, without one, the saved template) would have matched over the last days; nothing is changed."""
        body = {"template": None if template is None else dict(template), "days": days}
        return await self._session.fetch(DryRun, "POST", path_of("templates", name, "dry-run"), json=body, changes=False)
