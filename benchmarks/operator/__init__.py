"""What the operator asks of an API server, counted by the API server."""
