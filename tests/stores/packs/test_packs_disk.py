"""What packs ask of a disk: room, and all bytes of a gathered write."""

import os

import pytest

from hilum.stores.packs import RecentFreeBytes
from hilum.stores.packs.disk import write_gathered


def test_the_room_is_asked_for_again_when_the_answer_is_old_or_little_is_left(tmp_path, monkeypatch):
    answers, now = iter([100, 30, 20, 10]), [0.0]
    monkeypatch.setattr("hilum.stores.packs.disk.count_free_bytes", lambda _folder: next(answers))
    free_bytes = RecentFreeBytes(plenty=50, seconds=1.0, ticks=lambda: now[0])
    assert [free_bytes(tmp_path), free_bytes(tmp_path)] == [100, 100]
    now[0] = 1.0
    assert [free_bytes(tmp_path), free_bytes(tmp_path), free_bytes(tmp_path)] == [30, 20, 10]


@pytest.mark.parametrize("first_takes", [0, 1, 4, 5, 9, 12])
def test_what_a_gathered_write_leaves_over_is_written_behind_it(tmp_path, monkeypatch, first_takes):
    buffers = [b"0123", bytearray(b"45678"), memoryview(b"9ab")]
    real = os.pwritev
    monkeypatch.setattr("os.pwritev", lambda fd, some, at: real(fd, [b"".join(some)[:first_takes]], at))
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    try:
        write_gathered(fd, buffers, 3)
        assert os.pread(fd, 100, 0) == bytes(3) + b"0123456789ab"
    finally:
        os.close(fd)
