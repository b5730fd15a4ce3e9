"""``python -m slkbench``: the program ``slkbench``."""

from slkbench.cli.main import main

main()
