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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hilum.checks import Decoded
from hilum.model.ports import Vault
from hilum.model.records import Instance
from hilum.processors import Limits
from hilum.runtime.children import GuardedChildren

BATCH_BYTES = 64 << 20
MEMORY_BYTES = 4 << 30
ONE_SECONDS = 60.0  # the longest for one instance
CRASHED = "Its decoder crashed or used up its memory."
TOO_SLOW = "Decoding it took longer than {seconds:g} s."


@dataclass(frozen=True)
class ChildDecoder:
    """Implements `hilum.checks.PixelDecoder` for one study.

    Args:
        seconds: for all of its instances together.
        check_stop: raises when this worker is to stop.
        ticks: seconds, monotonic.
    """

    vault: Vault
    scratch: Path
    seconds: float
    check_stop: Callable[[], None]
    ticks: Callable[[], float] = time.monotonic
    _spent: list[float] = field(default_factory=list)

    def __call__(self, instances: Sequence[Instance]) -> Decoded:
        """Decode until the time is over."""
        failed: dict[str, str] = {}
        unread: dict[str, str] = {}
        waiting = list(instances)
        while waiting and (left := self.seconds - sum(self._spent)) > 0:
            self.check_stop()
            began = self.ticks()
            batch = list(_batch(waiting))
            answers, crashed = self._decode(batch, min(left, ONE_SECONDS + len(batch)))
            self._spent.append(self.ticks() - began)
            for instance, answer in zip(batch, answers, strict=False):
                target = failed if answer.get("failed") else unread if answer.get("unread") else None
                if target is not None:
                    target[instance.sop_instance_uid] = answer.get("failed") or answer["unread"]
            done = len(answers)
            if crashed and done < len(batch):
                failed[batch[done].sop_instance_uid] = crashed
                done += 1
            if not done:
                break  # the study's time ended within this batch
            waiting = waiting[done:]
        return Decoded(failed, unread, tuple(instance.sop_instance_uid for instance in waiting))

    def _decode(self, batch: Sequence[Instance], seconds: float) -> tuple[list[Mapping[str, str]], str]:
        """The answers of one child in order, and why it did not come to its end; empty where it did, or the study's time was over."""
        with tempfile.TemporaryDirectory(dir=self.scratch) as name:
            folder = Path(name)
            for number, instance in enumerate(batch):
                with Path(folder, f"{number:05}.dcm").open("wb") as file:
                    for chunk in self.vault.stream(instance.stored):
                        file.write(chunk)
            limits = Limits(wall_seconds=seconds, memory_bytes=MEMORY_BYTES, output_bytes=2 * BATCH_BYTES)
            command = [sys.executable, "-P", "-m", "hilum.runtime.decoding", name]
            ended = GuardedChildren().start(command, cwd=folder, output=folder, limits=limits).wait()
            answers = list(_answers(folder / "answers"))
        if ended is None or (ended.exit_status == 0 and not ended.stopped):
            return answers, ""
        if ended.stopped == "time":
            return answers, TOO_SLOW.format(seconds=seconds) if seconds >= ONE_SECONDS else ""
        return answers, CRASHED


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


def _decode_one(path: Path) -> dict[str, Any]:
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
