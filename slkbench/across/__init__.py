"""What several stored runs say together: what changed between two of them, and over many."""
