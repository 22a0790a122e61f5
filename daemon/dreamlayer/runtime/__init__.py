"""The process and the machine: devices, memory allocator, storage of large planes, duty cycle."""
