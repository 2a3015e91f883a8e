"""One measure a file: what predictions are worth against records."""
