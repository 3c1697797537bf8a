"""Listens, and says a word to whoever connects: another pod in the bundle's namespace."""

import socketserver


class Greeting(socketserver.BaseRequestHandler):
    """One connection."""

    def handle(self) -> None:
        """Say the word."""
        self.request.sendall(b"hello\n")


if __name__ == "__main__":
    address = ("", 8000)
    socketserver.ThreadingTCPServer(address, Greeting).serve_forever()
