"""All that knows open_clip."""
