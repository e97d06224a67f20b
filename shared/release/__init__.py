"""Released schemas, and whether what is to be released next breaks anybody who relies on them."""
