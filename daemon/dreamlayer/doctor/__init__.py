"""What `dreamlayer doctor` looks at, a file for each room; nothing is changed by looking."""
