"""The structure of the source tree: small packages, no import cycles, one meaning a class name."""

from __future__ import annotations

import ast
import graphlib
from collections import Counter, defaultdict
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
SOURCES = (
    "daemon/dreamlayer",
    "plugins/link/dreamlink",
    "plugins/krita/dreamlayer_krita",
    "plugins/gimp/dreamlayer-gimp/dreamlayer_gimp",
    "install",
)
PACKAGES = ("dreamlayer", "dreamlink", "dreamlayer_krita", "dreamlayer_gimp")
MODULES_MAX = 14  # so that a package's list of files is read at a glance


def modules() -> list[Path]:
    return [path for folder in SOURCES for path in sorted((ROOT / folder).rglob("*.py"))]


def test_no_package_has_more_modules_than_are_read_at_a_glance() -> None:
    counts = Counter(path.parent for path in modules() if path.name != "__init__.py")
    assert len(counts) > 30  # they were looked for in the right places
    crowded = {str(folder): count for folder, count in counts.items() if count > MODULES_MAX}
    assert not crowded


def test_every_package_says_what_it_holds() -> None:
    for init in (path for path in modules() if path.name == "__init__.py"):
        assert ast.get_docstring(ast.parse(init.read_text(encoding="utf-8"))), init


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_import_each_other_in_no_circle(package: str) -> None:
    """Imports that only the type checker sees count, too."""
    graph = grimp.build_graph(package, exclude_type_checking_imports=False, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert any(imports.values())
    tuple(graphlib.TopologicalSorter(imports).static_order())  # CycleError names the circle


def test_no_class_name_means_two_things() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in modules():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path.relative_to(ROOT)))
    assert len(places) > 200
    assert not {name: paths for name, paths in places.items() if len(paths) > 1}
