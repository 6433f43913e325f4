"""Linacre virtualises an accelerator's control system."""

__version__ = "0.1.0"

WITHOUT_PLUGINS = "__all__"
"""What the command sets PYDANTIC_DISABLE_PLUGINS to, for itself and not for what people run."""
