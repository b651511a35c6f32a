"""Uploads that are open, as this process remembers them: a PUT costs the ledger nothing but its index row."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from weakref import WeakValueDictionary

from hilum.api.lanes import READING
from hilum.model.errors import ConflictError, ForbiddenError, NotFoundError
from hilum.model.identity import SYSTEM, Right, Scope
from hilum.model.records import Intake
from hilum.stores.intakes import Intakes

FRESH_SECONDS = 2.0
MOST_OPEN = 256
MOST_NAMES = 1_000_000  # of all open uploads together, some 250 bytes each; the upload that is sent to just now is kept whatever it has
_FILES_A_PAGE = 5000


class OpenUpload:
    """An upload and the files that it has, by name."""

    def __init__(self, intake: Intake, names: dict[str, bytes], fresh_until: float) -> None:
        self.intake = intake
        self.names = names
        self.fresh_until = fresh_until
        self.is_sealed = intake.completed_at is not None
        self._storing = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @contextmanager
    def storing(self) -> Iterator[None]:
        """A whole body is being made durable: completing waits for it. ConflictError when it comes too late."""
        self.require_open()
        self._storing += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._storing -= 1
            if not self._storing:
                self._idle.set()

    async def until_idle(self) -> None:
        """Return when nothing is being stored."""
        await self._idle.wait()

    def require_open(self) -> None:
        """Raise ConflictError when the upload was completed."""
        if self.is_sealed:
            raise ConflictError("The upload is complete; nothing can be added to it.", "Start another upload.")


class Deliveries:
    """Finds open uploads.

    Args:
        ticks: seconds, monotonic.
    """

    def __init__(self, intakes: Intakes, ticks: Callable[[], float] = time.monotonic) -> None:
        self._intakes = intakes
        self._ticks = ticks
        self._open: OrderedDict[str, OpenUpload] = OrderedDict()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def find(self, scope: Scope, upload_id: str) -> OpenUpload:
        """An upload to which the caller may send.

        Raises:
            NotFoundError: there is none in the caller's projects.
            ForbiddenError: the caller may not send there.
            ConflictError: it takes no more files.
        """
        upload = self._open.get(upload_id)
        if upload is None or upload.fresh_until < self._ticks():
            upload = await self._look_up(upload_id)
        project = upload.intake.project
        if not scope.sees(project):
            raise NotFoundError(f"There is no upload {upload_id}.", "Start one with POST /uploads.")
        if not scope.holds(Right.SEND, project):
            raise ForbiddenError(f"This needs the right to send in project {project!r}.", "Ask an administrator for a role that has it.")
        upload.require_open()
        return upload

    @asynccontextmanager
    async def sealing(self, upload_id: str) -> AsyncIterator[None]:
        """While the upload is completed nothing is stored in it; it stays open when that fails."""
        upload = self._open.get(upload_id)
        was_sealed = upload is not None and upload.is_sealed
        if upload is not None:
            upload.is_sealed = True
            await upload.until_idle()
        try:
            yield
        except BaseException:
            if upload is not None:
                upload.is_sealed = was_sealed
            raise
        self.forget(upload_id)

    def forget(self, upload_id: str) -> None:
        """Its files changed in the ledger."""
        self._open.pop(upload_id, None)

    async def _look_up(self, upload_id: str) -> OpenUpload:
        async with self._turns.setdefault(upload_id, asyncio.Lock()):
            known = self._open.get(upload_id)
            if known is not None and known.fresh_until >= self._ticks():
                return known
            intake = await READING.run(self._intakes.find, SYSTEM, upload_id)
            if known is None:
                known = OpenUpload(intake, await READING.run(self._names, upload_id), 0.0)
            known.intake = intake
            known.is_sealed = known.is_sealed or intake.completed_at is not None
            known.fresh_until = self._ticks() + FRESH_SECONDS
            self._remember(upload_id, known)
            return known

    def _remember(self, upload_id: str, upload: OpenUpload) -> None:
        self._open[upload_id] = upload
        self._open.move_to_end(upload_id)
        while len(self._open) > 1 and (len(self._open) > MOST_OPEN or self._names_held() > MOST_NAMES):
            self._open.popitem(last=False)

    def _names_held(self) -> int:
        return sum(len(upload.names) for upload in self._open.values())

    def _names(self, upload_id: str) -> dict[str, bytes]:
        names: dict[str, bytes] = {}
        last = ""
        while page := self._intakes.list_files(SYSTEM, upload_id, last, _FILES_A_PAGE):
            names |= {file.name: file.sha256 for file in page}
            last = page[-1].name
        return names
