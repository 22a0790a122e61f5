"""The daemon as a process: single instance, discovery file, private files, logs, upgrades."""
