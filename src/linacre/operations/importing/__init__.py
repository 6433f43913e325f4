"""Taking over an IOC as it stands on a server."""
