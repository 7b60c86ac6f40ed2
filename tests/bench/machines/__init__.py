"""A cluster on one machine: its parts as processes, the connections between them, what happens to both, and clients."""
