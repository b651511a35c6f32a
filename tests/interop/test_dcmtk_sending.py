"""DCMTK as sender: echoscu, storescu, dcmsend."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from waiting import wait_until

from hilum.runtime.private_server import PrivateServer
from hilum_sdk import Hilum


def address(server: PrivateServer) -> tuple[str, str]:
    host, port = server.dimse.split(":")
    return host, port


def test_echoscu_is_answered(server: PrivateServer, run_peer: Callable) -> None:
    ran = run_peer("echoscu", "-v", "-aec", "HILUM", *address(server))
    assert ran.returncode == 0, ran.stderr
    assert "Received Echo Response (Success)" in ran.stdout + ran.stderr


def test_the_command_of_seed_002_works_word_for_word(
    server: PrivateServer, hilum: Hilum, project: str, run_peer: Callable, shared_data: Path
) -> None:
    host, port = address(server)
    folder = shared_data / "ms_dicom" / "patient01"
    names = ("--aetitle", "kp-trial", "--call", f"kp-{project}")
    ran = run_peer("dcmsend", "-v", host, port, *names, "--scan-directories", "--scan-pattern", "*.dcm", "--recurse", folder)
    assert ran.returncode == 0, ran.stderr
    count = len(list(folder.rglob("*.dcm")))
    assert f"with status SUCCESS  : {count}" in ran.stdout + ran.stderr
    wait_until(lambda: [study.number_of_instances for study in hilum.studies.list(project=project)] == [count], 60)
    (study,) = hilum.studies.list(project=project)
    assert study.datasets == ["trial"]


PROPOSED = ["-x=", "-xe", "-xb", "-xi", "-xs", "-xy", "-xx", "-xv", "-xw", "-xt", "-xu", "-xm", "-xh", "-xn", "-xl", "-xr", "-xd"]


@pytest.mark.parametrize("proposed", PROPOSED)
def test_every_transfer_syntax_that_storescu_proposes_is_taken(
    server: PrivateServer, project: str, run_peer: Callable, shared_data: Path, proposed: str
) -> None:
    image = min((shared_data / "ms_dicom" / "patient01").rglob("*.dcm"))
    ran = run_peer("storescu", "-v", proposed, "-aet", "STORESCU", "-aec", f"kp-{project}", *address(server), image)
    said = ran.stdout + ran.stderr
    # DCMTK proposes some that it cannot make out of another image; that it tries shows that its proposal was taken.
    assert "Received Store Response (Success)" in said or ("Association Accepted" in said and "unable to convert" in said), said


def test_the_counters_tell_of_it(server: PrivateServer, run_peer: Callable) -> None:
    import httpx

    run_peer("echoscu", "-aec", "HILUM", *address(server))

    def echoes() -> float:
        reply = httpx.get(f"{server.url}/api/v1/metrics", headers={"authorization": f"Bearer {server.token}"})
        assert reply.status_code == 200, reply.text
        counted = [line for line in reply.text.splitlines() if line.startswith("hilum_dimse_echoes_total")]
        return float(counted[0].split()[1])

    wait_until(lambda: echoes() >= 1, 60)


def test_an_unknown_project_is_rejected_with_its_reason(server: PrivateServer, run_peer: Callable) -> None:
    ran = run_peer("echoscu", "-v", "-aec", "kp-nobody", *address(server))
    assert ran.returncode != 0
    assert "Called AE Title Not Recognized" in ran.stdout + ran.stderr


def send_in_parts(server: PrivateServer, project: str, run_peer: Callable, images: list[Path], seconds: float) -> None:
    """Three associations, so many seconds from the end of one to the start of the next: the quiet time counts from what arrived last."""
    third = len(images) // 3
    for part in (images[:third], images[third : 2 * third], images[2 * third :]):
        ran = run_peer("storescu", "-aet", "PARTS", "-aec", f"kp-{project}", *address(server), *part)
        assert ran.returncode == 0, ran.stderr
        if part[-1] != images[-1]:
            time.sleep(seconds)


@pytest.mark.slow
@pytest.mark.parametrize(("seconds", "revision"), [(3, 1), (6, 3)])
def test_associations_within_the_quiet_time_are_one_job_and_beyond_it_revisions(
    server: PrivateServer, hilum: Hilum, project: str, run_peer: Callable, shared_data: Path, seconds: float, revision: int
) -> None:
    images = sorted((shared_data / "mr_t1_sagittal_160").rglob("*.dcm"))[:30]
    send_in_parts(server, project, run_peer, images, seconds)
    wait_until(
        lambda: [(study.stage, study.number_of_instances) for study in hilum.studies.list(project=project)] == [("matching", 30)], 60
    )
    (study,) = hilum.studies.list(project=project)
    assert study.revision == revision
