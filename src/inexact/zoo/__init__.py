"""Real networks and real data that need no download beyond a package registry."""
