"""What a program needs to have pictures dreamed by the daemon: one, or many one after another."""
