from epics_support import programs, start

__all__ = ["programs", "start"]
