"""The virtual accelerator: a beam, and the elements that it goes through."""
