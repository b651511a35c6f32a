"""What a local processor's child process runs: `python -m hilum.processors MODULE order.json`.

The module, not the kind, is named, so that members of third parties (entry points) run the same way.
"""

import sys
from importlib import import_module
from pathlib import Path

from hilum.processors import OUT_OF_MEMORY, LocalProcessor, answer_file, read_order, write_answer


def member(module: str) -> type[LocalProcessor]:
    """The local processor of a member module."""
    things = vars(import_module(module)).values()
    return next(thing for thing in things if isinstance(thing, type) and issubclass(thing, LocalProcessor) and thing.__module__ == module)


def main(module: str, order_file: str) -> int:
    """Run the order and leave the answer beside it. An exception goes to stderr, which the worker keeps as last words."""
    processor = member(module)
    order = read_order(Path(order_file).read_bytes(), processor.Settings)
    try:
        answer = processor.run(order)
    except MemoryError:
        return OUT_OF_MEMORY
    answer_file(order).write_bytes(write_answer(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
