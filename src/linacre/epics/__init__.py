"""What the programs inside machines share: IOC programs, launching, clients."""

from linacre.epics.program import softioc_program

__all__ = ["softioc_program"]
