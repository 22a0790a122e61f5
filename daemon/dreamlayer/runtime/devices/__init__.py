"""Devices: which one computes a dream, its memory, what its errors mean."""
