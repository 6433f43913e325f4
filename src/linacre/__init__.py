"""Linacre virtualises an accelerator's control system."""

__version__ = "0.1.0"
