"""Speed beside the plain way."""
