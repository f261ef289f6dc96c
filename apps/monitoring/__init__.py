"""The caretaker: health, metrics, failed tasks, the report."""
