"""What the programs inside machines share: IOC programs, launching, clients."""
