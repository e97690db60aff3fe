"""On PYTHONPATH while the notebooks are tested: a kernel that opens a connection beyond this
machine fails.
"""

import socket
import sys


def stay_on_this_machine(event, arguments):
    if event in ("socket.connect", "socket.sendto") and arguments[0].family in (
        socket.AF_INET,
        socket.AF_INET6,
    ):
        host = arguments[1][0]
        if host not in ("127.0.0.1", "::1", "localhost"):
            raise OSError(
                f"a notebook tried to reach {host}: notebooks never open a network connection"
            )


sys.addaudithook(stay_on_this_machine)
