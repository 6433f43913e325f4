"""Root file systems that machines start from, built from recipes."""
