"""The window that installs the program that dreams, where it is missing."""
