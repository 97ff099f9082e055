"""Who is at the other end of a loopback connection, by asking the kernel: its socket, and the processes that hold it.

Functions share the machine's network, so one could find the port of another's endpoint. It gets no answer there.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterable

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST = 1
_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBBBI")
_SOCKET_ID = struct.Struct("!HH16s16s12s")
_NO_COOKIE = b"\0\0\0\0" + b"\xff" * 8
_ANY_STATE = 0xFFFFFFFF
_INODE_OFFSET = _HEADER.size + 4 + _SOCKET_ID.size + 16
"""`inet_diag_msg` of linux/inet_diag.h: four bytes, the socket id, expires, two queue sizes, uid, inode."""

Address = tuple[str, int]


def belongs_to(peer: Address, own: Address, pids: Iterable[int]) -> bool:
    """Whether one of the processes holds the socket at `peer` that is connected to ours at `own` (IPv4).

    True as well where the kernel cannot or will not tell: other systems than Linux, kernels without socket diagnostics.
    """
    try:
        inode = _inode(peer, own)
        return any(_holds(pid, f"socket:[{inode}]") for pid in pids)
    except (AttributeError, PermissionError):  # there is no AF_NETLINK, or /proc is not for us
        return True
    except OSError as error:
        return error.errno != errno.ENOENT


def _inode(local: Address, remote: Address) -> int:
    """The inode of the TCP socket with these ends; one lookup, however many connections there are."""
    addresses = (socket.inet_aton(address).ljust(16, b"\0") for address, _ in (local, remote))
    request = _REQUEST.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, 0, _ANY_STATE)
    request += _SOCKET_ID.pack(local[1], remote[1], *addresses, _NO_COOKIE)
    size = _HEADER.size + len(request)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel:
        kernel.settimeout(1)  # it answers within the call
        kernel.send(_HEADER.pack(size, _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 1, 0) + request)
        answer = kernel.recv(4096)
    kind = _HEADER.unpack_from(answer)[1]
    if kind != _SOCK_DIAG_BY_FAMILY:
        code = -int.from_bytes(answer[_HEADER.size : _HEADER.size + 4], "little", signed=True)
        raise OSError(code, os.strerror(code))
    return int(struct.unpack_from("=I", answer, _INODE_OFFSET)[0])


def _holds(pid: int, wanted: str) -> bool:
    directory = f"/proc/{pid}/fd"
    try:
        descriptors = os.listdir(directory)
    except FileNotFoundError:
        return False
    for descriptor in descriptors:
        try:
            if os.readlink(f"{directory}/{descriptor}") == wanted:
                return True
        except FileNotFoundError:  # closed in the meantime
            continue
    return False
