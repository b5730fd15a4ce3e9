"""The measured process: a specification on stdin, events on stdout, nothing heavy in between."""
