"""How an archiver is asked and told over HTTP."""
