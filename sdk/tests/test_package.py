import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import hilum_sdk

PACKAGE = Path(hilum_sdk.__file__).parent


def imported() -> Iterator[str]:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield node.module or ""


def test_the_package_needs_httpx_and_pydantic_only() -> None:
    assert {name.partition(".")[0] for name in imported()} - sys.stdlib_module_names == {"httpx", "pydantic", "hilum_sdk"}


def test_every_public_name_exists() -> None:
    assert all(hasattr(hilum_sdk, name) for name in hilum_sdk.__all__)
