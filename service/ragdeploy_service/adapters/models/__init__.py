"""Files of models: found on this machine or fetched, and never those of another model."""
