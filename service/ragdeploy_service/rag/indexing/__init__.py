"""From documents to chunks that can be found."""
