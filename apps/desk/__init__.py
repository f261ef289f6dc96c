"""The staff room: pages and pictures."""
