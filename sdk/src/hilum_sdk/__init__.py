"""Python client of the Hilum gateway: upload, wait, download.

    with Hilum("http://127.0.0.1:8080", token=...) as hilum:
        upload = hilum.uploads.upload_folder("study/", project="admin", report_type="brain_ms")
        upload = hilum.uploads.wait(upload.id, timeout=600)
        for result in hilum.results.for_upload(upload.id):
            result.download("results/")

`AsyncHilum` has the same shape. Every failure is a `HilumError` (the tree is in `hilum_sdk.errors`).
"""

from hilum_sdk.bodies import LocalFile
from hilum_sdk.client import AsyncHilum, Hilum
from hilum_sdk.errors import (
    ConflictError,
    DigestMismatchError,
    FileChangedError,
    ForbiddenError,
    HilumApiError,
    HilumError,
    InvalidError,
    NotFoundError,
    NothingToUploadError,
    ServerUnreachableError,
    StorageFullError,
    UnauthorizedError,
    UnexpectedReplyError,
    UnreadableFilesError,
    UploadFailedError,
    UploadHeldError,
    UploadPartlyError,
    WaitTimeoutError,
)
from hilum_sdk.folders import Selection, select_files
from hilum_sdk.progress import Progress
from hilum_sdk.resources.results import Result

__all__ = [
    "AsyncHilum",
    "ConflictError",
    "DigestMismatchError",
    "FileChangedError",
    "ForbiddenError",
    "Hilum",
    "HilumApiError",
    "HilumError",
    "InvalidError",
    "LocalFile",
    "NotFoundError",
    "NothingToUploadError",
    "Progress",
    "Result",
    "Selection",
    "ServerUnreachableError",
    "StorageFullError",
    "UnauthorizedError",
    "UnexpectedReplyError",
    "UnreadableFilesError",
    "UploadFailedError",
    "UploadHeldError",
    "UploadPartlyError",
    "WaitTimeoutError",
    "select_files",
]
