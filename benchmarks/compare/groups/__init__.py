"""What is compared, by subject; each module has a `cases` that prepares, yields its cases, and removes what it made."""
