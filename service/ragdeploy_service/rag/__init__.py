"""What the service does, apart from HTTP (`routes`) and apart from the systems it talks to (`adapters`)."""
