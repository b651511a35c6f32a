"""Liveness and readiness: for supervisors and load balancers, without a credential and without identities."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from hilum.api.lanes import WATCHING
from hilum.api.routing import PREFIX
from hilum.model.errors import HilumError
from hilum.runtime.assembling import Application
from hilum.stores.packs.disk import Disk

router = APIRouter(tags=["operating"])


@router.get("/health")
@router.get(f"{PREFIX}/health")
async def health() -> dict[str, str]:
    """The process lives."""
    return {"status": "ok"}


@router.get("/ready")
@router.get(f"{PREFIX}/ready")
async def ready(request: Request) -> JSONResponse:
    """Whether images are taken; 503 with the reasons when not."""
    reasons = await WATCHING.run(reasons_not_ready, request.app.state.application)
    return JSONResponse({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)


def reasons_not_ready(app: Application) -> list[str]:
    """A sentence for each thing that is amiss."""
    reasons = []
    if trouble := app.database.trouble():
        reasons.append(f"The ledger does not answer ({trouble}).")
    try:
        Disk(app.settings.packs, app.settings.free_disk_bytes).require_space(0)
    except HilumError as error:
        reasons.append(error.sentence)
    except OSError as error:
        reasons.append(f"The folder of packs cannot be read: {error.strerror}.")
    return reasons
