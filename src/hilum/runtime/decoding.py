"""Pixels decoded for a check: in a child process with limits, a batch a child; what ends the child is one instance's fault.

    python -m hilum.runtime.decoding FOLDER

is the child: it decodes every frame of each `<number>.dcm` and writes a line of JSON for each into `answers`, so that after a
crash it is known which instance it was at.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from hilum.checks import Decoded
from hilum.model.ports import Tools
from hilum.model.records import Instance
from hilum.processors import Limits
from hilum.runtime.children import GuardedChildren

BATCH_BYTES = 64 << 20
MEMORY_BYTES = 4 << 30
ONE_SECONDS = 60.0  # the longest for one instance
CRASHED = "Its decoder crashed or used up its memory."
TOO_SLOW = "Decoding it took longer than {seconds:g} s."


class ChildDecoder:
    """Implements `hilum.checks.PixelDecoder` for one study.

    Args:
        seconds: for all of its instances together.
        ticks: seconds, monotonic.
    """

    def __init__(self, tools: Tools, *, seconds: float, ticks: Callable[[], float] = time.monotonic) -> None:
        self._tools = tools
        self._left = seconds
        self._ticks = ticks

    def __call__(self, instances: Sequence[Instance]) -> Decoded:
        """Decode until the time is over."""
        told: dict[str, dict[str, str]] = {"failed": {}, "unread": {}}
        waiting = list(instances)
        while waiting and self._left > 0:
            self._tools.check_stop()
            batch = list(_batch(waiting))
            answers = self._decode(batch)
            if not answers:
                break  # the study's time was over before the first of them
            for instance, answer in zip(batch, answers, strict=False):
                for outcome, sentence in answer.items():
                    told[outcome][instance.sop_instance_uid] = sentence
            waiting = waiting[len(answers) :]
        return Decoded(**told, left=tuple(instance.sop_instance_uid for instance in waiting))

    def _decode(self, batch: Sequence[Instance]) -> list[Mapping[str, str]]:
        """The answers of one child in order, the last of them that the child did not live to give."""
        began, seconds = self._ticks(), min(self._left, ONE_SECONDS + len(batch))
        with tempfile.TemporaryDirectory(dir=self._tools.scratch) as name:
            folder = Path(name)
            for number, instance in enumerate(batch):
                with Path(folder, f"{number:05}.dcm").open("wb") as file:
                    file.writelines(self._tools.vault.stream(instance.stored))
            limits = Limits(wall_seconds=seconds, memory_bytes=MEMORY_BYTES, output_bytes=2 * BATCH_BYTES)
            command = [sys.executable, "-P", "-m", "hilum.runtime.decoding", name]
            child = GuardedChildren().start(command, cwd=folder, output=folder, limits=limits)
            with self._tools.until_stopped(child.kill):
                ended = child.wait()
            self._tools.check_stop()
            answers = list(_answers(folder / "answers"))
        self._left -= self._ticks() - began
        if ended is not None and ended.exit_status != 0 and len(answers) < len(batch):
            if ended.stopped != "time":
                answers.append({"failed": CRASHED})
            elif self._left > 0:
                answers.append({"failed": TOO_SLOW.format(seconds=seconds)})
        return answers


def _batch(waiting: Iterable[Instance]) -> Iterator[Instance]:
    """As many as fit into a batch, at least one."""
    size = 0
    for instance in waiting:
        if size and size + instance.stored.size > BATCH_BYTES:
            return
        size += instance.stored.size
        yield instance


def _answers(file: Path) -> Iterator[Mapping[str, str]]:
    if file.is_file():
        for line in file.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                yield json.loads(line)


# --- the child ------------------------------------------------------------------------------------------------------------------


def main(folder: Path) -> None:
    """Decode every instance of the folder."""
    with Path(folder, "answers").open("w") as answers:
        for path in sorted(folder.glob("*.dcm")):
            answers.write(json.dumps(_decode_one(path)) + "\n")
            answers.flush()
            path.unlink()


def _decode_one(path: Path) -> dict[str, str]:
    from hilum.dicom.pixels import NoDecoderError, PixelError, decode_all

    try:
        decode_all(path)
    except NoDecoderError as error:
        return {"unread": error.sentence}
    except PixelError as error:
        return {"failed": error.sentence}
    return {}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
