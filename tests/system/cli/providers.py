"""What the server and the log tell of execution providers."""
import re

from ..stemwire_client import api


def computes(text: str) -> tuple:
    """Provider, precision and reason, as the log tells them."""
    return re.search(r'computes model=mini provider=(\w+) precision=(\w+) reason="(.+)"', text).groups()


def executions(server) -> dict:
    """What computes each model and why, as `ListModels` tells it."""
    return {model.name: model.execution for model in server.stub.ListModels(api.ListModelsRequest()).models}


def way(told) -> tuple:
    return (told.execution_provider, told.precision)


def library_folders(here: dict, provider: str) -> list:
    """Where `runtimes` has its builds of this provider."""
    return list((here["XDG_CACHE_HOME"] / "stemwire" / "runtimes").glob(f"{provider}-*"))
