"""The clockwork: tasks are an interface; each rings one service and returns nothing."""
