"""What a Python IOC imports."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

_PACKAGES = """
aioca caproto cothread epicscorelibs epicsdbbuilder linacre numpy p4p ply pvxslibs setuptools_dso
softioc typing_extensions yaml
"""
IN_IMAGE = frozenset(_PACKAGES.split())
"""Packages that the image of IOC machines has, or that the framework brings."""


def missing_modules(script: Path) -> list[str]:
    """Return the packages that a script imports and its machine does not have."""
    try:
        tree = ast.parse(script.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return []
    known = IN_IMAGE | sys.stdlib_module_names
    beside = {path.stem for path in script.parent.iterdir()}
    return sorted({name for name in _imported(tree) if name not in known | beside})


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]
