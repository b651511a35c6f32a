import asyncio

import pytest

from hilum_sdk import (
    AsyncHilum,
    Hilum,
    HilumApiError,
    NotFoundError,
    UploadFailedError,
    UploadHeldError,
    UploadPartlyError,
    WaitTimeoutError,
)

TOKEN = "a-token"
PROCESSING = {"step": "Processing", "outcome": None}


def test_wait_returns_the_upload_that_succeeded(server, hilum: Hilum) -> None:
    upload = hilum.uploads.start("admin")
    server.outcome(upload.id, PROCESSING, {"step": "Finished", "outcome": "succeeded", "counts": {"imported": 3}})
    done = hilum.uploads.wait(upload.id, timeout=5)
    assert (done.outcome, done.counts.imported) == ("succeeded", 3)


def test_importing_is_waited_for_and_no_longer(server, hilum: Hilum) -> None:
    upload = hilum.uploads.start("admin")
    server.outcome(upload.id, {"step": "Importing", "outcome": None}, PROCESSING, {"step": "Finished", "outcome": "succeeded"})
    assert hilum.uploads.wait_imported(upload.id, timeout=5).step == "Processing"


def test_an_upload_of_which_nothing_can_be_used_is_raised_with_its_sentence(server, hilum: Hilum) -> None:
    upload = hilum.uploads.start("admin")
    server.outcome(upload.id, {"step": "Finished", "outcome": "failed", "errors": ["No DICOMs found in the upload."]})
    with pytest.raises(UploadFailedError, match="No DICOMs found"):
        hilum.uploads.wait_imported(upload.id, timeout=5)


def test_the_asynchronous_wait_is_the_same(server) -> None:
    async def wait() -> str | None:
        async with AsyncHilum(server.address, TOKEN) as hilum:
            upload = await hilum.uploads.start("admin")
            server.outcome(upload.id, PROCESSING, {"step": "Finished", "outcome": "succeeded"})
            return (await hilum.uploads.wait(upload.id, timeout=5)).outcome

    assert asyncio.run(wait()) == "succeeded"


@pytest.mark.parametrize(
    ("state", "kind", "sentences"),
    [
        ({"outcome": "failed", "errors": ["No DICOMs found in the upload"]}, UploadFailedError, ["No DICOMs found in the upload"]),
        ({"outcome": "failed", "errors": [{"sentence": "Bad.", "file": "x"}]}, UploadFailedError, ["Bad."]),
        ({"outcome": "partly", "errors": ["One study failed."]}, UploadPartlyError, ["One study failed."]),
        (
            {"outcome": "held", "held": [{"study": "1", "workitem": None, "sentence": "Slice 17 is missing."}]},
            UploadHeldError,
            ["Slice 17 is missing."],
        ),
    ],
)
def test_an_end_that_is_no_success_is_raised_with_its_sentences(server, hilum: Hilum, state, kind, sentences) -> None:
    upload = hilum.uploads.start("admin")
    server.outcome(upload.id, PROCESSING | state)
    with pytest.raises(kind) as caught:
        hilum.uploads.wait(upload.id, timeout=5)
    assert type(caught.value) is kind
    assert (caught.value.sentences, caught.value.upload.id) == (sentences, upload.id)
    assert sentences[0] in str(caught.value)


def test_whoever_catches_failures_catches_partial_ones_too() -> None:
    assert issubclass(UploadPartlyError, UploadFailedError)
    assert not issubclass(UploadHeldError, UploadFailedError)


def test_a_wait_ends_at_its_timeout(server, hilum: Hilum, seconds) -> None:
    upload = hilum.uploads.start("admin")
    server.outcome(upload.id, PROCESSING)
    with pytest.raises(WaitTimeoutError, match=r"still at Processing after 0\.5 s") as caught:
        hilum.uploads.wait(upload.id, timeout=0.5)
    assert 0.5 <= seconds() < 2
    assert isinstance(caught.value, TimeoutError)


def test_a_server_that_is_away_does_not_lengthen_the_wait(server, hilum: Hilum, seconds) -> None:
    upload = hilum.uploads.start("admin")
    server.fault("GET .*", "status", times=1000, status=503)
    with pytest.raises(HilumApiError):
        hilum.uploads.wait(upload.id, timeout=0.5)
    assert seconds() < 2


def test_a_short_absence_of_the_server_does_not_end_the_wait(server, hilum: Hilum) -> None:
    upload = hilum.uploads.start("admin")
    server.outcome(upload.id, {"step": "Finished", "outcome": "succeeded"})
    server.fault("GET .*", "drop", times=2)
    assert hilum.uploads.wait(upload.id, timeout=5).outcome == "succeeded"


@pytest.mark.parametrize("timeout", [float("inf"), float("nan"), -1])
def test_a_wait_without_an_end_is_refused(server, hilum: Hilum, timeout: float) -> None:
    with pytest.raises(ValueError, match="finite number of seconds"):
        hilum.uploads.wait("upload-1", timeout=timeout)


def test_an_upload_that_does_not_exist_is_not_waited_for(server, hilum: Hilum) -> None:
    with pytest.raises(NotFoundError):
        hilum.uploads.wait("nothing", timeout=60)
