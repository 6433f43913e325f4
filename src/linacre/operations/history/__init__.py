"""What IOCs were before: kept files, states, their recording and their coming back."""
