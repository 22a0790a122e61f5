"""Qt and its boundary: which Qt, guarded slots, translation, the connection's notifier."""
