"""What instruments show of a beam: readings as pure functions of a shot and of what arrives."""
