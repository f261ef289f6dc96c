"""Where the kit's shared state lives: in this process, in Redis, or in Redis with a spare."""
