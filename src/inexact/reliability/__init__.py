"""What breaks in an approximate accelerator, how often it matters, and what helps."""
