"""Real servers with buckets, which `make cluster` installs: versitygw and Azurite."""
import os
import subprocess
from pathlib import Path

from .common import wait_for
from .server import free_address, is_listening

# The account of versitygw, and the one that Azurite has by default.
ROOT = {"ROOT_ACCESS_KEY": "stemwire", "ROOT_SECRET_KEY": "a secret of the test"}
AZURE_ACCOUNT = {
    "account_name": "devstoreaccount1",
    "account_key": "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
}


class BucketServer:
    """A server with a bucket `songs`, kept in a folder. It can be stopped and started again."""

    scheme: str

    def __init__(self, folder: Path):
        self.folder, self.address, self.url = folder, free_address(), f"{self.scheme}://songs"
        folder.mkdir(parents=True)
        self.variables = self.prepared()
        self.start()
        self.create_bucket()

    def prepared(self) -> dict[str, str]:
        """The variables with which a client finds it."""
        raise NotImplementedError

    def command(self, host: str, port: str) -> list[str]:
        raise NotImplementedError

    def create_bucket(self) -> None:
        raise NotImplementedError

    def object_names(self) -> list[str]:
        """Their keys."""
        raise NotImplementedError

    def start(self) -> None:
        command = self.command(*self.address.split(":"))
        self.process = subprocess.Popen(command, env=os.environ | ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        wait_for(lambda: is_listening(self.address), 30)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30)


class S3Server(BucketServer):
    """versitygw."""

    scheme = "s3"

    def prepared(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": f"http://{self.address}", "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": ROOT["ROOT_ACCESS_KEY"], "AWS_SECRET_ACCESS_KEY": ROOT["ROOT_SECRET_KEY"],
        }

    def command(self, host: str, port: str) -> list[str]:
        return [os.environ["STEMWIRE_VERSITYGW"], "--port", f"{host}:{port}", "--quiet", "posix", str(self.folder)]

    def create_bucket(self) -> None:
        (self.folder / "songs").mkdir()

    def object_names(self) -> list[str]:
        bucket = self.folder / "songs"
        return [str(path.relative_to(bucket)) for path in bucket.rglob("*") if path.is_file()]


class AzureServer(BucketServer):
    """Azurite, over Node.js, with its own account."""

    scheme = "az"

    def prepared(self) -> dict[str, str]:
        self.endpoint = f"http://{self.address}/{AZURE_ACCOUNT['account_name']}"
        account = {f"AZURE_STORAGE_{name.upper()}": value for name, value in AZURE_ACCOUNT.items()}
        return {"AZURE_STORAGE_ENDPOINT": self.endpoint, **account}

    def command(self, host: str, port: str) -> list[str]:
        options = ["--location", str(self.folder), "--blobHost", host, "--blobPort", port]
        return ["node", os.environ["STEMWIRE_AZURITE"], *options, "--silent", "--skipApiVersionCheck", "--disableTelemetry"]

    def create_bucket(self) -> None:
        # Only there where Azurite is.
        from azure.storage.blob import BlobServiceClient

        self.container = BlobServiceClient(self.endpoint, AZURE_ACCOUNT).create_container("songs")

    def kill(self) -> None:
        # Killed, it would lose objects of the last seconds, which it writes to its disk later.
        self.process.terminate()
        self.process.wait(30)

    def object_names(self) -> list[str]:
        return list(self.container.list_blob_names())

