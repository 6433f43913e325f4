"""Fixtures of the archiver's system tests."""

from __future__ import annotations

from archive_support import bench, softioc

__all__ = ["bench", "softioc"]
