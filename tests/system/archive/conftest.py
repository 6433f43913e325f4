"""Fixtures of the archiver's system tests."""

from __future__ import annotations

from archive_support import bench, softioc
from page_support import browser, opened

__all__ = ["bench", "browser", "opened", "softioc"]
