"""Look at video: from a file to a verdict."""
