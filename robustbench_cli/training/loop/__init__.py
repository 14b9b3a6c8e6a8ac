"""What the loop needs besides methods: optimisers, early stopping, compiling, threads, files."""
