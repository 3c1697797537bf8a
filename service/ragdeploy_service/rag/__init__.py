"""What the service does, apart from HTTP (`routes`) and the systems it talks to (`adapters`)."""
