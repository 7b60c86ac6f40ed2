"""Proxies of others in front of a server, by the files of docs/deploy/proxies with other ports and folders."""
import http.client
import os
import shutil
import socket
import ssl
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import grpc
import trustme

from system.common import wait_for
from system.repository import ROOT
from system.server import free_address

RECIPES = ROOT / "docs" / "deploy" / "proxies"
SITE, SITE_OF_PATH = "music.example", "www.example"

# What the recipes leave to the file that includes them, so that they run without root and beside each other.
NGINX = """
daemon off;
pid {folder}/pid;
error_log stderr warn;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/answers;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {recipe};
}}
"""
CADDY = """{
	admin off
	auto_https disable_redirects
}
"""


def program(name: str) -> str:
    """A proxy: of this Python's environment, else of the system."""
    own = Path(sys.executable).parent / name
    found = str(own) if own.exists() else shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    assert found, f"{name} is not there: `make conformance` installs it"
    return found


class Certificates:
    """An authority, and a certificate of it for both sites, as the recipes name them."""

    def __init__(self, folder: Path):
        self.folder, authority = folder, trustme.CA()
        issued = authority.issue_cert(SITE, SITE_OF_PATH)
        authority.cert_pem.write_to_path(folder / "authority.pem")
        chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
        (folder / "cert.pem").write_bytes(chain)
        issued.private_key_pem.write_to_path(folder / "key.pem")
        (folder / "stemwire.pem").write_bytes(chain + issued.private_key_pem.bytes())

    @property
    def authority(self) -> Path:
        return self.folder / "authority.pem"


class Proxy:
    """A running proxy. `port` is that of both sites."""

    def __init__(self, name: str, server: str, certificates: Certificates, folder: Path):
        self.certificates, self.port = certificates, int(free_address().split(":")[1])
        recipe = {"nginx": "nginx.conf", "haproxy": "haproxy.cfg", "caddy": "Caddyfile", "envoy": "envoy.yaml"}[name]
        text = (RECIPES / recipe).read_text()
        for documented, here in [
            ("port_value: 443", f"port_value: {self.port}"), ("port_value: 8000", f"port_value: {server.split(':')[1]}"),
            ("listen 443", f"listen {self.port}"), (":443", f":{self.port}"),
            ("127.0.0.1:8000", server), ("/etc/stemwire/tls", str(certificates.folder)),
        ]:
            text = text.replace(documented, here)
        path = folder / recipe
        path.write_text(CADDY + text if name == "caddy" else text)
        if name == "nginx":
            (folder / "whole.conf").write_text(NGINX.format(folder=folder, recipe=path))
        command = {
            "nginx": ["nginx", "-c", folder / "whole.conf", "-p", folder, "-e", "stderr"],
            "haproxy": ["haproxy", "-db", "-f", path],
            "caddy": ["caddy", "run", "--adapter", "caddyfile", "--config", path],
            "envoy": ["envoy", "-c", path, "--concurrency", "1", "--log-level", "warn", "--base-id", str(self.port)],
        }[name]
        self.log = (folder / "log").open("w+")
        homes = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        self.process = subprocess.Popen(
            [program(str(command[0])), *map(str, command[1:])], stdout=self.log, stderr=self.log, cwd=folder, env=os.environ | homes
        )
        wait_for(self.listens)

    def listens(self) -> bool:
        assert self.process.poll() is None, self.log_text()
        with socket.socket() as tried:
            return tried.connect_ex(("127.0.0.1", self.port)) == 0

    def log_text(self) -> str:
        self.log.seek(0)
        return self.log.read()

    def channel(self) -> grpc.Channel:
        trusted = grpc.ssl_channel_credentials(self.certificates.authority.read_bytes())
        options = [
            ("grpc.ssl_target_name_override", SITE), ("grpc.default_authority", f"{SITE}:{self.port}"),
            ("grpc.max_receive_message_length", 4 << 20), ("grpc.use_local_subchannel_pool", 1),
        ]
        return grpc.secure_channel(f"127.0.0.1:{self.port}", trusted, options)

    def connection(self, site: str = SITE, source: str = "127.0.0.1") -> http.client.HTTPSConnection:
        """A connection of HTTP/1.1 to a site, from one of the machine's own addresses."""
        context = ssl.create_default_context(cafile=str(self.certificates.authority))
        context.set_alpn_protocols(["http/1.1"])
        connection = http.client.HTTPSConnection(site, self.port, timeout=60, context=context)
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=60, source_address=(source, 0))
        connection.sock = context.wrap_socket(plain, server_hostname=site)
        return connection

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(30)
        self.log.close()


@dataclass
class Answer:
    """A response over HTTP/1.1."""

    status: int
    headers: dict
    body: bytes


def ask(proxy: Proxy, method: str, path: str, body=None, headers: dict | None = None, **where) -> Answer:
    connection = proxy.connection(**where)
    try:
        connection.request(method, path, body, headers or {}, encode_chunked=body is not None and not isinstance(body, bytes))
        response = connection.getresponse()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
    finally:
        connection.close()
