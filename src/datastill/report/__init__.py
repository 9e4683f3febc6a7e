"""What people read: summaries, tables, listings."""
