"""Programs that checks ask for their opinion: those that the setting `check_tools` names, in a child process with limits."""

import shutil
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

from hilum.checks import Answer
from hilum.model.ports import Tools
from hilum.model.records import Instance
from hilum.processors import ChildEnded, Limits
from hilum.runtime.children import GuardedChildren

LIMITS = Limits(wall_seconds=30, memory_bytes=1 << 30, output_bytes=1 << 20)


class ToolAsker:
    """Implements `hilum.checks.ToolRunner`.

    Args:
        allowed: the names of the programs that may be run.
    """

    def __init__(self, tools: Tools, *, allowed: Collection[str], limits: Limits = LIMITS) -> None:
        self._tools = tools
        self._allowed = allowed
        self._limits = limits

    def __call__(self, command: Sequence[str], instance: Instance) -> Answer | None:
        """Run `command FILE`; None where the site did not ask for this program."""
        if command[0] not in self._allowed:
            return None
        if shutil.which(command[0]) is None:
            return Answer(trouble=f"{command[0]} is not installed here; install it, or take it out of the setting check_tools.")
        self._tools.check_stop()
        with tempfile.TemporaryDirectory(dir=self._tools.scratch) as name:
            file = Path(name, "image.dcm")
            with file.open("wb") as writer:
                writer.writelines(self._tools.vault.stream(instance.stored))
            child = GuardedChildren().start([*command, file.name], cwd=Path(name), output=Path(name), limits=self._limits)
            with self._tools.until_stopped(child.kill):
                ended = child.wait()
        self._tools.check_stop()
        return _answer(command[0], ended)


def _answer(program: str, ended: ChildEnded | None) -> Answer:
    if ended is None or ended.stopped:
        return Answer(trouble=f"{program} did not end within its limits ({ended.stopped if ended else 'time'}).")
    if ended.exit_status < 0 or ended.exit_status >= 128:
        return Answer(trouble=f"{program} crashed on it.")
    return Answer(words=ended.last_words, exit_status=ended.exit_status)
