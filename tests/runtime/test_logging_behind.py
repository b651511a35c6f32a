import io
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from hilum.runtime.logging_behind import LinesBehind


class Stream(io.StringIO):
    """Counts what is written at once."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []
        self.has_written = threading.Event()

    def write(self, text: str) -> int:
        self.written.append(text)
        self.has_written.set()
        return super().write(text)


@pytest.fixture
def stream() -> Stream:
    return Stream()


@pytest.fixture
def gathered() -> threading.Event:
    """That the time in which lines are gathered is over."""
    return threading.Event()


@pytest.fixture
def log(stream: Stream, gathered: threading.Event) -> Iterator[logging.Logger]:
    logger = logging.Logger("tests")
    lines = LinesBehind(stream, lambda _: gathered.wait(10))
    logger.addHandler(lines)
    yield logger
    gathered.set()
    lines.close()


def test_lines_that_come_together_are_written_together(log: logging.Logger, stream: Stream, gathered: threading.Event) -> None:
    for number in range(3):
        log.info("line %d", number)
    assert stream.written == []
    gathered.set()
    assert stream.has_written.wait(10)
    assert stream.written == ["line 0\nline 1\nline 2\n"]


def test_a_line_after_a_pause_is_written_too(log: logging.Logger, stream: Stream, gathered: threading.Event) -> None:
    gathered.set()
    for number in range(2):
        stream.has_written.clear()
        log.info("line %d", number)
        assert stream.has_written.wait(10)
    assert "".join(stream.written) == "line 0\nline 1\n"


def test_a_warning_is_written_at_once_behind_what_came_before(log: logging.Logger, stream: Stream) -> None:
    log.info("before")
    log.warning("now")
    assert stream.written == ["before\nnow\n"]


def test_a_line_that_cannot_be_made_ends_nothing(log: logging.Logger, stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    log.info("%d", "no number")
    log.warning("but this")
    assert stream.written == ["but this\n"]


def test_a_stream_that_nobody_reads_ends_nothing(log: logging.Logger, stream: Stream) -> None:
    stream.close()
    log.warning("nobody reads this")


def test_lines_of_many_threads_are_all_written(log: logging.Logger, stream: Stream, gathered: threading.Event) -> None:
    gathered.set()
    threads = [threading.Thread(target=lambda: [log.info("line") for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.warning("end")
    assert stream.getvalue() == "line\n" * 2000 + "end\n"


def test_the_last_lines_of_a_process_are_written() -> None:
    script = "import logging, sys; from hilum.runtime.logging_behind import log_behind; log_behind(sys.stderr); logging.info('bye')"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60)
    assert done.stderr.endswith(" INFO bye\n")
