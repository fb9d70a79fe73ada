"""The field's works as a living catalogue: what each did, on what, how it is rebuilt here, and what it claims."""
