"""Who may ask: API keys, read from the settings and from a folder, and checked for each request."""
