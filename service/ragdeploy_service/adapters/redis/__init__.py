"""What replicas share through Redis: answers, jobs, counts and leases."""
