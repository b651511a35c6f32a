"""Writes results into a folder of this machine: all of them with a manifest, or nothing.

    {"destination": "folder", "settings": {"path": "ward-7"}}

`path` lies below the server's folder for deliveries (HILUM_DELIVERED, `delivered` in the data directory unless set). Each workitem
gets a folder of its own, `<template>-<workitem id>`, with a `manifest.json` that names every file, its size and SHA-256. Where a
person had a workitem processed again, its later results go beside the earlier ones, `<template>-<workitem id>-2`: nothing is overwritten.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import field_validator

from hilum.destinations import Host, Parcel, ParcelFile, StrictSettings
from hilum.model.errors import StorageError

MANIFEST = "manifest.json"
MOST_DELIVERIES = 1000  # of one workitem


class Folder:
    """Atomic: the files are written beside their place, made durable, and renamed."""

    kind = "folder"

    class Settings(StrictSettings):
        """`path`: relative, below the server's folder for deliveries."""

        path: str = ""

        @field_validator("path")
        @classmethod
        def stays_below(cls, path: str) -> str:
            """No absolute path, nothing upwards."""
            parts = PurePosixPath(path)
            if parts.is_absolute() or ".." in parts.parts or "\\" in path or "\0" in path:
                raise ValueError("a path below the server's folder for deliveries, without ..")
            return path

    def __init__(self, host: Host) -> None:
        self._root = host.delivered

    def deliver(self, parcel: Parcel, settings: Settings) -> Mapping[str, Any]:
        """Write the parcel; a parcel that is there already is left as it is."""
        base, manifest = self._root / settings.path, _manifest(parcel)
        places = _places(base, parcel.template, parcel.workitem_id)
        place = next(place for place in places if not place.is_dir() or _read_manifest(place) == manifest)
        if not place.is_dir():
            self._write(base, place, parcel, manifest)
        return {"folder": str(place.relative_to(self._root)), "files": len(parcel.files)}

    def withdraw(self, workitem_id: str, template: str, settings: Settings) -> None:
        """Remove all that was delivered of a workitem: its study was deleted. Nothing happens when it is gone.

        Raises:
            StorageError: it cannot be removed.
        """
        for place in _places(self._root / settings.path, template, workitem_id):
            # What is just being written goes first: its writer can then no longer rename it to its place.
            for folder in (_being_written(place), place):
                if folder.is_dir():
                    _remove(folder)

    def _write(self, base: Path, place: Path, parcel: Parcel, manifest: Mapping[str, Any]) -> None:
        base.mkdir(parents=True, exist_ok=True)
        being_written = _being_written(place)
        if being_written.exists():
            shutil.rmtree(being_written)
        being_written.mkdir()
        for file in parcel.files:
            _write_file(being_written / file.name, file)
        _write_manifest(being_written / MANIFEST, manifest)
        _sync_folder(being_written)
        being_written.rename(place)
        _sync_folder(base)


def _places(base: Path, template: str, workitem_id: str) -> Iterator[Path]:
    """Where the results of a workitem go, the first ones and those that were made again."""
    name = f"{template}-{workitem_id}"
    yield base / name
    yield from (base / f"{name}-{number}" for number in range(2, MOST_DELIVERIES))


def _being_written(place: Path) -> Path:
    return place.with_name(f".{place.name}.part")


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
        _sync_folder(folder.parent)
    except FileNotFoundError:
        return  # a person, or a round that was killed, has removed it
    except OSError as error:
        raise StorageError(f"What was delivered cannot be removed: {error.strerror}.", "Look at the folder for deliveries.") from error


def _write_file(path: Path, file: ParcelFile) -> None:
    digest = hashlib.sha256()
    with path.open("xb") as target:
        for chunk in file.open():
            digest.update(chunk)
            target.write(chunk)
        target.flush()
        os.fsync(target.fileno())
    if digest.digest() != file.sha256:
        raise StorageError(
            f"The result {file.name} is damaged in the vault.", "Run `hilum verify`, then send the workitem back to processing."
        )


def _manifest(parcel: Parcel) -> dict[str, Any]:
    return {
        "workitem": parcel.workitem_id,
        "project": parcel.project,
        "study": parcel.study_id,
        "study_instance_uid": parcel.study_instance_uid,
        "revision": parcel.revision,
        "template": parcel.template,
        "template_version": parcel.template_version,
        "supersedes": parcel.supersedes,
        "provenance": dict(parcel.provenance),
        "files": [
            {"name": file.name, "media_type": file.media_type, "size": file.size, "sha256": file.sha256.hex()} for file in parcel.files
        ],
    }


def _read_manifest(place: Path) -> Any:
    return json.loads((place / MANIFEST).read_text(encoding="utf-8"))


def _write_manifest(path: Path, manifest: Mapping[str, Any]) -> None:
    with path.open("x", encoding="utf-8") as target:
        json.dump(manifest, target, indent=2)
        target.flush()
        os.fsync(target.fileno())


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
