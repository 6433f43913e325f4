"""What a physicist uses: an archive near or far, live values, files for other programs."""
