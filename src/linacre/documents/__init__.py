"""Files in YAML that people write: their text as plain data, and what is wrong by file and line."""
