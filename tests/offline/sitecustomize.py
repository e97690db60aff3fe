"""On PYTHONPATH while the notebooks are tested: a kernel that opens a connection beyond this machine fails."""

import socket

connect = socket.socket.connect


def connect_on_this_machine(self, address):
    if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
        raise OSError(f"a notebook tried to reach {address[0]}: notebooks never open a network connection")
    return connect(self, address)


socket.socket.connect = connect_on_this_machine
