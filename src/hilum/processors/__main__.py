"""What a local processor's child process runs: `python -m hilum.processors KIND order.json`."""

import sys
from importlib import import_module
from pathlib import Path

from hilum.processors import OUT_OF_MEMORY, LocalProcessor, answer_file, read_order, write_answer


def member(kind: str) -> type[LocalProcessor]:
    """The local processor in the file of that name."""
    candidates = vars(import_module(f"hilum.processors.{kind}")).values()
    return next(thing for thing in candidates if isinstance(thing, type) and issubclass(thing, LocalProcessor) and "kind" in vars(thing))


def main(kind: str, order_file: str) -> int:
    """Run the order and leave the answer beside it. An exception goes to stderr, which the worker keeps as last words."""
    processor = member(kind)
    order = read_order(Path(order_file).read_bytes(), processor.Settings)
    try:
        answer = processor.run(order)
    except MemoryError:
        return OUT_OF_MEMORY
    answer_file(order).write_bytes(write_answer(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
