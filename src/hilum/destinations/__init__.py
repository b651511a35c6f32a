"""Destinations: where results are delivered to. One file a member.

The whole of a member (its file is `destinations/log_line.py`, its kind the same words with hyphens):

    class LogLine:
        kind = "log-line"

        class Settings(StrictSettings):
            prefix: str = "delivered"

        def __init__(self, host: Host) -> None: ...

        def deliver(self, parcel: Parcel, settings: Settings) -> Mapping[str, Any]:      # the receipt
            print(settings.prefix, parcel.workitem_id)
            return {"lines": 1}

A member may have `withdraw(workitem_id, template, settings)`: when the study is deleted it takes back all that it ever wrote of a workitem,
with a receipt or (after a crash between delivery and receipt) without, and nothing happens where nothing is left.

The same parcel may come twice (a crash between delivery and receipt): a member makes the second time a no-op by `workitem_id`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict


class StrictSettings(BaseModel):
    """Settings of a member: a key that nobody named is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Host:
    """What this machine offers a destination: `delivered` is the folder below which files may be written."""

    delivered: Path


@dataclass(frozen=True, slots=True)
class ParcelFile:
    """One result; `open()` streams its bytes, checked against `sha256`."""

    name: str
    media_type: str
    size: int
    sha256: bytes
    open: Callable[[], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class Parcel:
    """All results of a workitem."""

    workitem_id: str
    project: str
    study_id: str
    study_instance_uid: str
    revision: int
    template: str
    template_version: int
    supersedes: str
    provenance: Mapping[str, Any]
    files: tuple[ParcelFile, ...]
