"""The documentation site: its pages, its tables of results, its links."""
