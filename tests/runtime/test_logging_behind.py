import io
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from hilum.runtime.logging_behind import LinesBehind

SOON = 10.0


class Stream(io.StringIO):
    """Counts what is written at once, and can be kept from writing."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []
        self.has_written = threading.Event()
        self.is_writing = threading.Event()
        self.may_write = threading.Event()
        self.may_write.set()
        self.error: Exception | None = None
        self.has_failed = threading.Event()

    def write(self, text: str) -> int:
        self.is_writing.set()
        assert self.may_write.wait(SOON)
        if self.error is not None:
            self.has_failed.set()
            raise self.error
        self.written.append(text)
        length = super().write(text)
        self.has_written.set()
        return length


@pytest.fixture
def stream() -> Stream:
    return Stream()


@pytest.fixture
def log(stream: Stream) -> Iterator[logging.Logger]:
    logger = logging.Logger("tests")
    lines = LinesBehind(stream, most_lines=100)
    logger.addHandler(lines)
    yield logger
    stream.may_write.set()
    lines.close()


def test_a_line_after_a_pause_is_written_too(log: logging.Logger, stream: Stream) -> None:
    for number in range(2):
        stream.has_written.clear()
        log.info("line %d", number)
        assert stream.has_written.wait(SOON)
    assert "".join(stream.written) == "line 0\nline 1\n"


def test_what_comes_while_the_stream_is_slow_is_written_together(log: logging.Logger, stream: Stream) -> None:
    hold(log, stream)
    for number in range(3):
        log.info("line %d", number)
    let_go(stream)
    assert stream.written == ["held\n", "line 0\nline 1\nline 2\n"]


def test_a_warning_waits_for_no_stream(log: logging.Logger, stream: Stream) -> None:
    hold(log, stream)
    log.warning("this returns")
    assert stream.written == []
    let_go(stream)
    assert stream.written == ["held\n", "this returns\n"]


def test_lines_that_nobody_reads_are_counted_and_not_kept(log: logging.Logger, stream: Stream) -> None:
    hold(log, stream)
    for _ in range(150):
        log.info("line")
    let_go(stream)
    assert stream.written[1] == "line\n" * 100 + "50 lines were not written: nobody read those before them.\n"


def test_a_line_that_cannot_be_made_ends_nothing(log: logging.Logger, stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    log.info("%d", "no number")
    log.warning("but this")
    assert stream.has_written.wait(SOON)
    assert stream.written == ["but this\n"]


def test_a_filter_keeps_a_line_out(log: logging.Logger, stream: Stream) -> None:
    log.handlers[0].addFilter(lambda record: record.msg != "secret")
    log.info("secret")
    log.warning("open")
    assert stream.has_written.wait(SOON)
    assert stream.written == ["open\n"]


def test_a_stream_that_fails_for_a_while_ends_nothing(log: logging.Logger, stream: Stream) -> None:
    stream.error = OSError("no room")
    log.warning("lost")
    assert stream.has_failed.wait(SOON)
    stream.error = None
    log.warning("kept")
    assert stream.has_written.wait(SOON)
    assert stream.written == ["kept\n"]


def test_lines_of_many_threads_are_all_written_without_a_warning_behind_them(stream: Stream) -> None:
    logger = logging.Logger("tests")
    lines = LinesBehind(stream)
    logger.addHandler(lines)
    threads = [threading.Thread(target=lambda: [logger.info("line") for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until = time.monotonic() + SOON
    while stream.getvalue() != "line\n" * 2000 and time.monotonic() < until:
        stream.has_written.clear()
        stream.has_written.wait(0.2)
    assert stream.getvalue() == "line\n" * 2000
    lines.close()


def test_the_last_lines_of_a_process_are_written() -> None:
    script = "import logging, sys; from hilum.runtime.logging_behind import log_behind; log_behind(sys.stderr); logging.info('bye')"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60)
    assert done.stderr.endswith(" INFO bye\n")


def hold(log: logging.Logger, stream: Stream) -> None:
    """Let the stream take a first line, and no more."""
    stream.may_write.clear()
    log.warning("held")
    assert stream.is_writing.wait(SOON)


def let_go(stream: Stream) -> None:
    """Let the stream write what is held, and wait for what comes behind it."""
    stream.may_write.set()
    until = time.monotonic() + SOON
    while len(stream.written) < 2 and time.monotonic() < until:
        stream.has_written.clear()
        stream.has_written.wait(0.2)
