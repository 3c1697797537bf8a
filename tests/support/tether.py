"""Run a program that ends when its parent ends, even if the parent is killed.

``python tether.py PARENT-PID PROGRAM ARGUMENT...`` asks the kernel to send
SIGKILL to this process when its parent dies and then becomes the program. A
program of its own and not a ``preexec_fn``, because Python code between fork
and exec may deadlock in a process that has threads, and a test run has some.

Where the kernel has no such request (macOS), only what ``process.py`` does at
a normal exit ends the children.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(parent: int, command: list[str]) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before the request was made
            sys.exit("the parent is gone")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
