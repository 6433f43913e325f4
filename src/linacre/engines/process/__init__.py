"""IOCs as plain processes on loopback addresses: no root, no containers."""
