"""Published and remote models behind the one door of `base`."""
