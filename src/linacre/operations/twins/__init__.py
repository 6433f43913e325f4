"""A second machine of an IOC: made, plugged, swapped."""
