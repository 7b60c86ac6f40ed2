"""A server with the calls of S3 that sessions need, in memory, which fails on request, and one with those of Google. Not for what
a real one does under concurrency: tests/cluster has one."""
import hashlib
import hmac
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.sax.saxutils import escape, unescape

BUCKET, ACCESS_KEY, SECRET_KEY = "songs", "an access key", "a secret key"


class Bucket:
    """Serves `objects` on loopback. `delay_s` is the time before each answer; the next `failures` requests are answered with
    503, and the next `unanswered` ones are carried out and not answered. While it `is_gone`, everything is missing. Requests that
    name `held` wait for as long as it is set."""

    url = "s3://songs"
    # A header with which only a key that does not exist is created.
    create_header = ("if-none-match", "*")

    def __init__(self):
        self.objects: dict[str, bytes] = {}
        self.lock, self.delay_s, self.failures, self.unanswered = threading.Lock(), 0.0, 0, 0
        self.is_gone = self.is_stopped = False
        self.held = ""
        bucket = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                answer(self, bucket)

            do_PUT = do_HEAD = do_POST = do_DELETE = do_GET

            def log_message(self, *_) -> None:
                pass

        self.handler, self.address = Handler, ("127.0.0.1", 0)
        self.start()

    def start(self) -> None:
        self.server = ThreadingHTTPServer(self.address, self.handler)
        self.server.daemon_threads, self.address = True, self.server.server_address
        self.is_stopped = False
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Refuses connections from now on."""
        self.is_stopped = True
        self.server.shutdown()
        self.server.server_close()

    @property
    def variables(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.address[1]}", "AWS_REGION": "eu-test-1",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        }

    def is_allowed(self, request: BaseHTTPRequestHandler, body: bytes) -> bool:
        return is_signed(request, body)


class GoogleBucket(Bucket):
    """The same by the XML API of Google Cloud Storage: https://cloud.google.com/storage/docs/xml-api/overview"""

    url = "gs://songs"
    create_header = ("x-goog-if-generation-match", "0")

    @property
    def variables(self) -> dict[str, str]:
        return {"GOOGLE_BASE_URL": f"http://127.0.0.1:{self.address[1]}", "GOOGLE_BEARER_TOKEN": SECRET_KEY}

    def is_allowed(self, request: BaseHTTPRequestHandler, body: bytes) -> bool:
        return request.headers.get("authorization") == f"Bearer {SECRET_KEY}"


def answer(request: BaseHTTPRequestHandler, bucket: Bucket) -> None:
    body = request.rfile.read(int(request.headers.get("content-length", 0)))
    headers: dict[str, str] = {}
    time.sleep(bucket.delay_s)
    while bucket.held and bucket.held in request.path:
        time.sleep(0.01)
    with bucket.lock:
        if bucket.is_stopped:
            request.close_connection = True
            return
        if bucket.is_gone:
            status, content = 404, b"<html>nothing is here</html>"
        elif bucket.failures:
            bucket.failures -= 1
            status, content = 503, b"<Error><Code>SlowDown</Code></Error>"
        elif not bucket.is_allowed(request, body):
            status, content = 403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>"
        else:
            status, headers, content = carry_out(request, body, bucket)
        if bucket.unanswered:
            bucket.unanswered -= 1
            request.close_connection = True
            return
    request.send_response(status)
    headers.setdefault("Content-Length", str(len(content)))
    for name, value in headers.items():
        request.send_header(name, value)
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(content)


def carry_out(request: BaseHTTPRequestHandler, body: bytes, bucket: Bucket) -> tuple[int, dict, bytes]:
    url, objects = urlsplit(request.path), bucket.objects
    name, _, key = unquote(url.path).removeprefix("/").partition("/")
    found, tag = objects.get(key), {"ETag": '"1"', "x-goog-generation": "1", "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
    if name != BUCKET:
        return 404, {}, b"<Error><Code>NoSuchBucket</Code></Error>"
    if request.command == "POST" and url.query == "delete":
        names = re.findall(r"<Key>.*?</Key>", body.decode())
        for name in names:
            objects.pop(unescape(name[5:-6]), None)
        deleted = "".join(f"<Deleted>{name}</Deleted>" for name in names)
        return 200, {}, f"<DeleteResult>{deleted}</DeleteResult>".encode()
    if not key:
        return 200, {}, listing(dict(parse_qsl(url.query)), objects)
    if request.command == "PUT":
        header, value = bucket.create_header
        if request.headers.get(header) == value and found is not None:
            return 412, {}, b"<Error><Code>PreconditionFailed</Code></Error>"
        objects[key] = body
        return 200, tag, b""
    if found is None:
        return 404, {}, b"<Error><Code>NoSuchKey</Code></Error>"
    if request.command == "DELETE":
        del objects[key]
        return 204, {}, b""
    if wanted := request.headers.get("range"):
        first, last = map(int, wanted.removeprefix("bytes=").split("-"))
        part = found[first : last + 1]
        return 206, tag | {"Content-Range": f"bytes {first}-{first + len(part) - 1}/{len(found)}"}, part
    return 200, tag | {"Content-Length": str(len(found))}, found


def listing(query: dict[str, str], objects: dict[str, bytes]) -> bytes:
    """Two entries a page, so that there are several."""
    prefix, delimiter, after = query.get("prefix", ""), query.get("delimiter"), query.get("continuation-token", "")

    def entry(key: str) -> str:
        folder, found, _ = key.removeprefix(prefix).partition(delimiter or "\0")
        return prefix + folder + delimiter if delimiter and found else key

    entries = sorted({entry(key) for key in objects if key.startswith(prefix)})
    rest = [entry for entry in entries if entry > after]
    content = ""
    for name in rest[:2]:
        if name in objects:
            content += f"<Contents><Key>{escape(name)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            content += f"<ETag>1</ETag><Size>{len(objects[name])}</Size></Contents>"
        else:
            content += f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>"
    is_truncated = len(rest) > 2
    token = f"<NextContinuationToken>{escape(rest[1])}</NextContinuationToken>" if is_truncated else ""
    return f"<ListBucketResult><IsTruncated>{str(is_truncated).lower()}</IsTruncated>{token}{content}</ListBucketResult>".encode()


def is_signed(request: BaseHTTPRequestHandler, body: bytes) -> bool:
    """Signature version 4: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html"""
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    fields = dict(field.strip().split("=", 1) for field in rest.split(",") if "=" in field)
    url, digest = urlsplit(request.path), request.headers.get("x-amz-content-sha256", "")
    if scheme != "AWS4-HMAC-SHA256" or digest != hashlib.sha256(body).hexdigest():
        return False
    access_key, *scope = fields["Credential"].split("/")
    names = fields["SignedHeaders"].split(";")
    query = "&".join(sorted(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in parse_qsl(url.query, True)))
    headers = "".join(f"{name}:{request.headers[name].strip()}\n" for name in names)
    canonical = "\n".join([request.command, url.path, query, headers, ";".join(names), digest])
    text = "\n".join([scheme, request.headers["x-amz-date"], "/".join(scope), hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{SECRET_KEY}".encode()
    for part in scope:
        key = hmac.digest(key, part.encode(), "sha256")
    return access_key == ACCESS_KEY and hmac.digest(key, text.encode(), "sha256").hex() == fields["Signature"]
