"""The clinical content as data: versioned files, their schema, their loader."""
