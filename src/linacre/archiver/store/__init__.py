"""Where samples are kept: a journal, segments of Parquet, and roll-ups beside them."""
