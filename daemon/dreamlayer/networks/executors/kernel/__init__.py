"""The executor for the compiled kernel: on the CPU, in single precision, strip by strip."""
