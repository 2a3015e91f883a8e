"""Tests in a real browser; a package, so that its browser is gone when other tests run."""
