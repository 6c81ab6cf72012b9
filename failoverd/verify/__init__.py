"""The last look against what must hold, and the account of an operation."""
