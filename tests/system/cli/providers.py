"""Execution providers in the log and on the wire."""
import re

from ..stemwire_client import api


def selected(text: str) -> tuple:
    """Provider, precision and reason of the first model in the log."""
    return re.search(r'provider selected model=\S+ provider=(\w+) precision=(\w+) reason="(.+)"', text).groups()


def executions(server) -> dict:
    """The execution of each model in `ListModels`."""
    return {model.name: model.execution for model in server.stub.ListModels(api.ListModelsRequest()).models}


def execution_of(message) -> tuple:
    """Provider and precision of an `Execution`, a `Trial` or an `Engine`."""
    return (message.execution_provider, message.precision)


def library_folders(here: dict, provider: str) -> list:
    """Folders of this provider's builds in `runtimes`."""
    return list((here["XDG_CACHE_HOME"] / "stemwire" / "runtimes").glob(f"{provider}-*"))
