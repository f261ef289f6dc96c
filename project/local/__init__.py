"""The desk on one machine: embedded servers, the processes, and the supervisor that keeps them."""
