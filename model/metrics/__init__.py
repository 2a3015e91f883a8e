"""What is asked of records, and what the answers are worth: one measure a file."""
