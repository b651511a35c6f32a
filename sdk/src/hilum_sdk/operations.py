"""One description a call, two faces: the descriptors that show a coroutine as a blocking method or as one to await.

    class Uploads(Resource[D]):
        @Operation
        async def get(self, upload_id: str) -> Upload: ...

    Hilum().uploads.get        # (upload_id: str) -> Upload
    AsyncHilum().uploads.get   # (upload_id: str) -> Coroutine[Any, Any, Upload]

Type checkers see the right one, by the driver that the resource is parametrised with. Descriptions call each other through
`Uploads.get.steps(self, upload_id)`, which is the coroutine function itself.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from functools import update_wrapper
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from hilum_sdk.drivers import Awaiting, Blocking, Driver, run_blocking
from hilum_sdk.errors import UnexpectedReplyError
from hilum_sdk.models import Page, Shape
from hilum_sdk.session import Session, parse

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound=Shape)
D = TypeVar("D", bound=Driver)


class Resource(Generic[D]):
    """Something with calls, bound to a session."""

    def __init__(self, session: Session[D]) -> None:
        self._session = session


class Operation(Generic[P, R]):
    """A call: blocking on a `Resource[Blocking]`, a coroutine on a `Resource[Awaiting]`."""

    def __init__(self, steps: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]]) -> None:
        self.steps = steps
        self.__doc__ = steps.__doc__

    @overload
    def __get__(self, instance: None, owner: Any) -> Self: ...
    @overload
    def __get__(self, instance: Resource[Blocking], owner: Any) -> Callable[P, R]: ...
    @overload
    def __get__(self, instance: Resource[Awaiting], owner: Any) -> Callable[P, Coroutine[Any, Any, R]]: ...
    def __get__(self, instance: Resource[Any] | None, owner: Any) -> Any:
        if instance is None:
            return self
        if isinstance(instance._session.driver, Awaiting):
            return self.steps.__get__(instance)
        return _bound(self.steps, lambda *args, **kwargs: run_blocking(self.steps(instance, *args, **kwargs)))


@dataclass(frozen=True)
class Query(Generic[S]):
    """A list of the server's: where its pages are and what its items look like. With `in_body` the filters travel in a POST's body."""

    item: type[S]
    path: str
    filters: dict[str, Any] = field(default_factory=dict)
    in_body: bool = False

    async def page(self, session: Session[Any], cursor: str | None) -> Page:
        filters = {key: value for key, value in (*self.filters.items(), ("cursor", cursor)) if value is not None}
        if self.in_body:
            return await session.fetch(Page, "POST", self.path, json=filters, changes=False)
        return await session.fetch(Page, "GET", self.path, query=filters)

    def read(self, page: Page, cursor: str | None) -> list[S]:
        # A server that names the same page again would be followed for ever.
        if page.next is not None and page.next == cursor:
            raise UnexpectedReplyError(f"The list {self.path} names page {cursor!r} as the page after itself.")
        return [parse(self.item, item) for item in page.items]


class Pages(Generic[S]):
    """A list that is fetched page by page while it is read; each `iter` starts at its first page."""

    def __init__(self, session: Session[Blocking], query: Query[S]) -> None:
        self._session = session
        self._query = query

    def __iter__(self) -> Iterator[S]:
        cursor, more = None, True
        while more:
            page = run_blocking(self._query.page(self._session, cursor))
            yield from self._query.read(page, cursor)
            cursor, more = page.next, page.next is not None


class AsyncPages(Generic[S]):
    """A list that is fetched page by page while it is read with `async for`."""

    def __init__(self, session: Session[Awaiting], query: Query[S]) -> None:
        self._session = session
        self._query = query

    async def __aiter__(self) -> AsyncIterator[S]:
        cursor, more = None, True
        while more:
            page = await self._query.page(self._session, cursor)
            for item in self._query.read(page, cursor):
                yield item
            cursor, more = page.next, page.next is not None


class Listing(Generic[P, S]):
    """A call that answers with a list: `for` on a `Resource[Blocking]`, `async for` on a `Resource[Awaiting]`."""

    def __init__(self, query: Callable[Concatenate[Any, P], Query[S]]) -> None:
        self.query = query
        self.__doc__ = query.__doc__

    @overload
    def __get__(self, instance: None, owner: Any) -> Self: ...
    @overload
    def __get__(self, instance: Resource[Blocking], owner: Any) -> Callable[P, Pages[S]]: ...
    @overload
    def __get__(self, instance: Resource[Awaiting], owner: Any) -> Callable[P, AsyncPages[S]]: ...
    def __get__(self, instance: Resource[Any] | None, owner: Any) -> Any:
        if instance is None:
            return self
        session = instance._session
        pages = AsyncPages if isinstance(session.driver, Awaiting) else Pages
        return _bound(self.query, lambda *args, **kwargs: pages(session, self.query(instance, *args, **kwargs)))

    async def steps(self, instance: Resource[Any], *args: P.args, **kwargs: P.kwargs) -> list[S]:
        """The whole list, for use inside another description."""
        query, items, cursor = self.query(instance, *args, **kwargs), [], None
        while True:
            page = await query.page(instance._session, cursor)
            items += query.read(page, cursor)
            if (cursor := page.next) is None:
                return items


def _bound(described: Callable[..., Any], call: Callable[..., Any]) -> Callable[..., Any]:
    """`call` with the name, docstring and signature of the description, without its `self`."""
    update_wrapper(call, described)
    signature = inspect.signature(described)
    call.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])  # type: ignore[attr-defined]
    return call
