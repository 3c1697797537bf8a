"""Many callers, few resources: batches, shared work, bounds, breakers."""
