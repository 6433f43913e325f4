"""What runs machines on hosts, behind one protocol."""
