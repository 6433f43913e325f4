"""Services: any program, with its own packages."""
