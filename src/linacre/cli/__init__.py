"""The command line: one module a noun, thin over operations and observing."""
