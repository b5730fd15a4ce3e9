"""slkbench measures messaging libraries against each other, in pairs, with confidence intervals."""

__version__ = "0.1.0"
