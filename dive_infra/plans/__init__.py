"""What a preview found, as data and for people."""
