"""A program that has taken the daemon's port: `impostor.py PORT ANSWER [UID]`.

It accepts every connection, answers hello as ANSWER says, and prints in hexadecimal digits all
that it is shown or sent.
"""

from __future__ import annotations

import os
import sys

import msgpack
import zmq

from dreamlink.wire.messages import PROTOCOL


def serve(port: int, answer: str) -> None:
    """Listen until killed."""
    context = zmq.Context.instance()
    zap = context.socket(zmq.REP)
    zap.bind("inproc://zeromq.zap.01")
    router = context.socket(zmq.ROUTER)
    router.setsockopt(zmq.PLAIN_SERVER, 1)
    router.setsockopt(zmq.ZAP_DOMAIN, b"x")
    router.bind(f"tcp://127.0.0.1:{port}")
    print("listens", flush=True)
    poller = zmq.Poller()
    poller.register(zap, zmq.POLLIN)
    poller.register(router, zmq.POLLIN)
    password = b""
    while True:
        ready = dict(poller.poll())
        if zap in ready:
            version, number, *_, user, password = zap.recv_multipart()
            print("shown", user.hex(), password.hex(), flush=True)
            zap.send_multipart([version, number, b"200", b"OK", b"", b""])
        if router in ready:
            peer, *frames = router.recv_multipart()
            print("sent", b"".join(frames).hex(), flush=True)
            if answer != "silent":
                router.send_multipart([peer, msgpack.packb(hello(frames[0], answer, password))])


def hello(request: bytes, answer: str, password: bytes) -> dict[str, object]:
    """The answer to a client's hello, with a proof that is none."""
    fields = {"op": "hello", "id": msgpack.unpackb(request)["id"], "protocol": PROTOCOL, "pid": 1}
    proofs = {"reflected": password[32:].decode(), "empty": "", "number": 5, "password": "é" * 64}
    if answer in proofs:
        fields["proof"] = proofs[answer]
    elif answer == "newer":
        fields["protocol"] = PROTOCOL + 1
    return {**fields, "version": "0.1.0", "stopping": False}


if __name__ == "__main__":
    if len(sys.argv) > 3:
        os.setgroups([])
        os.setgid(int(sys.argv[3]))
        os.setuid(int(sys.argv[3]))
    serve(int(sys.argv[1]), sys.argv[2])
