"""The checks of `dreamlayer doctor`, one module for each area; they change nothing."""
