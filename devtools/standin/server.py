"""The HTTP server: reads requests, hands them on, writes answers."""

import json
import logging
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from . import control, hosted_page
from .api import HttpRequest

_logger = logging.getLogger(__name__)

LARGEST_BODY = 1024 * 1024
# Makes close() send a reset instead of an orderly end.
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Server:
    """A threading HTTP server in a daemon thread.

    :param world: the stand-in.
    :param host: address to listen on.
    :param port: port, 0 for a free one.
    """

    def __init__(self, world, host, port):
        self._http = _HttpServer((host, port), _Handler)
        self._http.world = world
        self.url = f"http://{host}:{self._http.server_port}"

    def start(self):
        """Begin to serve."""
        threading.Thread(
            target=self._http.serve_forever,
            kwargs={"poll_interval": 0.05},
            name="standin-server",
            daemon=True,
        ).start()

    def stop(self):
        """End serving and cut all connections."""
        self._http.shutdown()
        self._http.server_close()
        self._http.cut_connections()


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    # Fifty visitors at once must not be refused by a short queue.
    request_queue_size = 256

    def __init__(self, *args):
        super().__init__(*args)
        self._connections = set()

    def process_request(self, request, client_address):
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address):
        _logger.debug("Connection of %s ended early", client_address, exc_info=True)

    def cut_connections(self):
        """End connections that clients keep open for later requests."""
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                _logger.debug("A connection was closed already")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "StripeStandIn"
    disable_nagle_algorithm = True
    # Headers and body leave in one packet.
    wbufsize = -1

    @property
    def world(self):
        return self.server.world

    def log_message(self, *args):
        """Say nothing: the call log says it, without keys."""

    def _serve(self):
        request = self._read()
        if request is None:
            return
        try:
            self._route(request)
        except Exception:
            _logger.exception("The stand-in failed on %s %s", request.method, request.path)
            self.send_json(500, {"error": {"type": "api_error", "message": "stand-in failure"}})

    do_GET = do_POST = do_DELETE = _serve

    def _read(self):
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > LARGEST_BODY:
            self.close_connection = True
            self.send_text(413, "The request is too large.")
            return None
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(length))
        return HttpRequest(self.command, parts.path, parts.query, headers, body)

    def _route(self, request):
        if request.path.startswith("/v1/"):
            self._answer_api(request)
        elif request.path.startswith("/_control"):
            status, document = control.handle(self.world, request)
            if isinstance(document, str):
                self.send_html(status, document)
            else:
                self.send_json(status, document)
        elif request.path.startswith("/c/pay/"):
            hosted_page.serve(self, request)
        elif request.path == "/":
            self.redirect("/_control/")
        else:
            self.send_text(404, "The Stripe stand-in has nothing here. See /_control/.")

    def _answer_api(self, request):
        answer = self.world.api.handle(request)
        if answer.status is None:
            self.cut()
        else:
            self.send_body(answer.status, "application/json", answer.body, answer.headers)

    def cut(self):
        """Close the connection without an answer."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.connection.close()

    def send_body(self, status, content_type, body, headers=None):
        """Send a whole answer."""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def send_json(self, status, document):
        """Send a JSON document."""
        self.send_body(status, "application/json", json.dumps(document, indent=2).encode())

    def send_html(self, status, page):
        """Send a page."""
        self.send_body(status, "text/html; charset=utf-8", page.encode())

    def send_text(self, status, text):
        """Send a plain line."""
        self.send_body(status, "text/plain; charset=utf-8", text.encode())

    def redirect(self, location):
        """Send the browser elsewhere with a GET."""
        self.send_body(303, "text/plain; charset=utf-8", b"", {"Location": location})
