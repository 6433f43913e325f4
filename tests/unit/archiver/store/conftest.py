"""It puts the samples beside it in reach of the tests of the rooms below."""
