"""Where samples come from: Channel Access and pvAccess."""
