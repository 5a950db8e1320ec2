"""A published experiment from the data to its table, in one go that may be interrupted."""
