"""Convert PS3.3's tables of IODs, modules and attribute types into `src/hilum/dicom/iods.json.gz`.

    python tables/convert_iods.py

The source is the JSON that highdicom (MIT licence, a development dependency) ships in its folder `_standard`; it in turn is extracted from
the DocBook of PS3.3. Sequences that have the same attributes are written once: 99,740 rows become some 1,300 nodes.
"""

import gzip
import json
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[1] / "src/hilum/dicom/iods.json.gz"

SOURCES = ("sop_class_iod_map", "iod_module_map", "module_attribute_map")

Tree = dict[str, tuple[str, Any]]  # keyword -> type, and the attributes of its items


def main() -> None:
    """Read, convert, write; the same source gives the same bytes."""
    source = files("highdicom") / "_standard"
    read = {
        name: json.loads((source / f"{name}.json").read_bytes()) for name in ("sop_class_iod_map", "iod_module_map", "module_attribute_map")
    }
    nodes = Nodes()
    modules = {module: nodes.intern(_tree(rows)) for module, rows in sorted(read["module_attribute_map"].items())}
    tables = {
        "source": f"highdicom {version('highdicom')}, folder _standard (MIT licence), extracted from DICOM PS3.3",
        "edition": "not named by the source; its newest SOP Class is Height Map Segmentation Storage, so no earlier than 2024",
        "sop_classes": read["sop_class_iod_map"],
        "iods": {iod: [[use["key"], use["usage"], use["ie"]] for use in uses] for iod, uses in read["iod_module_map"].items()},
        "modules": modules,
        "nodes": nodes.written,
    }
    text = json.dumps(tables, separators=(",", ":"), ensure_ascii=True)
    TARGET.write_bytes(gzip.compress(text.encode(), mtime=0))
    print(f"{TARGET.name}: {len(modules)} modules, {len(nodes.written)} nodes, {TARGET.stat().st_size} bytes")  # noqa: T201


class Nodes:
    """Trees written once each: a node maps a keyword to its type, or to its type and the number of its items' node."""

    def __init__(self) -> None:
        self.written: list[dict[str, Any]] = []
        self._number_of: dict[tuple[tuple[str, str, int], ...], int] = {}

    def intern(self, tree: Tree) -> int:
        """The number of the tree's node."""
        row = tuple((keyword, kind, self.intern(items) if items else -1) for keyword, (kind, items) in tree.items())
        if row not in self._number_of:
            self._number_of[row] = len(self.written)
            self.written.append({keyword: kind if node < 0 else [kind, node] for keyword, kind, node in row})
        return self._number_of[row]


def _tree(rows: Iterable[Mapping[str, Any]]) -> Tree:
    root: Tree = {}
    for row in rows:
        node = root
        for keyword in row["path"]:
            node = node.setdefault(keyword, ("", {}))[1]
        kind = "" if row["type"] == "None" else row["type"]
        _, items = node.get(row["keyword"], ("", {}))
        node[row["keyword"]] = (kind, items)
    return root


if __name__ == "__main__":
    main()
