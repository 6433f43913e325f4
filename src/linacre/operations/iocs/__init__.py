"""What is done to one IOC at a time, and what is told of those that have just booted."""
