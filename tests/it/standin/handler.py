"""A handler for the stand-in's tests. `BEHAVIOUR` is a JSON object: for each path a list of steps, the last of which is
repeated. A step is {"status": 200, "body": {...}} or {"exit": code} or {"empty": true} or {"hang": true}; with {"wait_for":
path} it is done when that file is there. `exit_at_start` and `never_listens` stand beside the paths.
Every request but `GET /` is written to `LOG`, one JSON object a line."""

import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BEHAVIOUR = json.loads(os.environ["BEHAVIOUR"])
LOCK = threading.Lock()


def calls_so_far(path):
    try:
        with open(os.environ["LOG"]) as log:
            return sum(json.loads(line)["path"] == path for line in log)
    except FileNotFoundError:
        return 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def read_body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer(self, status, body, content_type="application/json"):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        if self.path == "/":
            return self.answer(404, b"")
        body = self.read_body().decode()
        with LOCK:
            number = calls_so_far(self.path)
            with open(os.environ["LOG"], "a") as log:
                entry = {
                    "path": self.path,
                    "method": self.command,
                    "headers": dict(self.headers),
                    "body": body,
                    "worker": os.environ["FUNCTIONS_CUSTOMHANDLER_WORKER_ID"],
                    "process": os.getpid(),
                    "directory": os.getcwd(),
                    "arguments": sys.argv[1:],
                    "environment": dict(os.environ),
                }
                log.write(json.dumps(entry) + "\n")
        steps = BEHAVIOUR.get(self.path, [{}])
        step = steps[min(number, len(steps) - 1)]
        if "say" in step:
            print(step["say"], file=sys.stderr, flush=True)
        if "exit" in step:
            os._exit(step["exit"])
        while "wait_for" in step and not os.path.exists(step["wait_for"]):
            time.sleep(0.01)
        if step.get("hang"):
            time.sleep(3600)
        if step.get("empty"):
            return self.answer(200, b"")
        self.answer(step.get("status", 200), json.dumps(step.get("body", {})).encode())

    do_GET = do_POST


if "exit_at_start" in BEHAVIOUR:
    print("cannot start", file=sys.stderr, flush=True)
    sys.exit(BEHAVIOUR["exit_at_start"])
if "never_listens" in BEHAVIOUR:
    time.sleep(3600)
print("listening", flush=True)
ThreadingHTTPServer(("127.0.0.1", int(os.environ["FUNCTIONS_CUSTOMHANDLER_PORT"])), Handler).serve_forever()
