"""The rooms of the house; data flows forward, imports look back."""
