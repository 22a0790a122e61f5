"""The course of dreams and quick looks on the client's side, without sockets or hosts."""
