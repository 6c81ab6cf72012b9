"""Read, check and explain the configuration. Start with `schema.py`: it is the list of all keys."""
