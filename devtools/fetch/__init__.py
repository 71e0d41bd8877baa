"""What ./dev fetches, and the cache it is kept in. Standard library only."""
