"""A disk that is really full (hostile input 39): nothing that was acknowledged is lost, the sender hears 0xA700, the door goes on."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hilum.doors.dimse_statuses import Status

MEBIBYTE = 1 << 20
DISK = 40 * MEBIBYTE


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own of 40 MiB; only root may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def fill(make_data_set: Callable, ask: Callable) -> Callable[..., dict[str, bytes]]:
    """Send until an object is refused, which must be with 0xA700; what was acknowledged until then."""

    def send(site, first: int, size: int) -> dict[str, bytes]:
        acknowledged = {}
        with site.associate() as peer:
            for number in range(first, first + 1000):
                uid = f"1.2.70.{number}"
                body = make_data_set(uid, size=size)
                status = ask(peer, body, uid).status
                if status != Status.SUCCESS:
                    assert status == Status.OUT_OF_RESOURCES
                    return acknowledged
                acknowledged[uid] = body
        raise AssertionError("the disk is not full yet")

    return send


def assert_kept(site, acknowledged: dict[str, bytes]) -> None:
    members = site.members()
    assert {uid for uid, body in acknowledged.items() if not members.get(f"{uid}.dcm", b"").endswith(body)} == set()
    assert set(members) == {f"{uid}.dcm" for uid in acknowledged}, "what was refused is kept nowhere"


@pytest.mark.parametrize("size", [MEBIBYTE, 6 * MEBIBYTE], ids=["whole", "streamed"])
def test_a_full_disk_refuses_and_loses_nothing(
    make_site: Callable, make_data_set: Callable, small_disk: Path, fill: Callable, size: int
) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(4 * MEBIBYTE))
    site = make_site(small_disk / "data", buffer_bytes=4 * MEBIBYTE)
    acknowledged = fill(site, 1, size)
    assert len(acknowledged) >= 3
    # Down to the last block: the ledger has no room either then.
    acknowledged |= fill(site, 1000, 64 << 10) | fill(site, 2000, 2048)
    assert site.echo() < 5
    assert_kept(site, acknowledged)
    ballast.unlink()
    body = make_data_set("1.2.70.200", size=MEBIBYTE)
    assert site.store(body, "1.2.70.200").status == Status.SUCCESS
    assert_kept(site, {**acknowledged, "1.2.70.200": body})
    site.work()  # what could not be told to the full ledger is told now
    (study,) = site.studies()
    assert study.number_of_instances == len(acknowledged) + 1


def test_the_watermark_refuses_before_the_disk_is_full(make_site: Callable, small_disk: Path, fill: Callable) -> None:
    site = make_site(small_disk / "data", free_disk_bytes=12 * MEBIBYTE)
    acknowledged = fill(site, 1, MEBIBYTE)
    assert shutil.disk_usage(small_disk).free > 9 * MEBIBYTE
    assert_kept(site, acknowledged)
    assert site.echo() < 5
