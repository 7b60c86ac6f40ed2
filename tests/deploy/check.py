"""Checks the files of docs/deploy with the tools of those who read them, which `make deploy` puts on the search path."""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import kubernetes_validate
import yaml
from helm_python.chart import Chart, lint
from helm_python.errors import HelmError

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "docs" / "deploy"
CHART = DEPLOY / "helm" / "stemwire"
VALUES = yaml.safe_load((CHART / "example-values.yaml").read_text())

# What Kubernetes does not define itself.
OTHERS = {"ScaledObject"}


def run(*command, cwd: Path = ROOT) -> str:
    """Runs a command, and returns all that it prints."""
    ended = subprocess.run([*map(str, command)], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert ended.returncode == 0, f"{command} ended with {ended.returncode}:\n{ended.stdout}"
    return ended.stdout


def check_systemd(scratch: Path) -> None:
    """The units, with a program that is there."""
    for unit in sorted((DEPLOY / "systemd").glob("*.service")):
        copy = scratch / unit.name
        copy.write_text(unit.read_text().replace("/opt/stemwire/stemwire", sys.executable))
        assert not run("systemd-analyze", "verify", copy), unit


def check_compose() -> None:
    folder = DEPLOY / "compose"
    project = yaml.safe_load(run("compose", "-no-interpolation", "compose.yaml", cwd=folder))
    services = project["services"]
    gateways = [services[f"gateway-{number}"]["environment"] for number in (1, 2, 3)]
    assert len({gateway["STEMWIRE_CLUSTER_ADDRESS"] for gateway in gateways}) == 3
    for shared in ("STEMWIRE_CLUSTER", "STEMWIRE_CLUSTER_SECRET"):
        assert len({environment[shared] for environment in [*gateways, services["worker"]["environment"]]}) == 1, shared
    run("haproxy", "-c", "-f", folder / "haproxy.cfg")


def merged(values: dict, changes: dict) -> dict:
    """Values with some changed, as Helm merges them."""
    inner = {key: merged(values.get(key) or {}, value) if isinstance(value, dict) else value for key, value in changes.items()}
    return values | inner


def rendered(**changes) -> list[dict]:
    """What the chart gives with the values of the example, each checked against the schema of its kind."""
    files = Chart.load(CHART).render(merged(VALUES, changes), name="music", namespace="default")
    objects = [found for text in files.values() for found in yaml.safe_load_all(text) if found]
    for found in objects:
        if found["kind"] not in OTHERS:
            kubernetes_validate.validate(found, "1.37", strict=True)
    return objects


def environment(objects: list[dict], component: str) -> dict:
    """The variables of a component's container."""
    (found,) = (found for found in objects if found["kind"] == "Deployment" and found["metadata"]["name"].endswith(component))
    (container,) = found["spec"]["template"]["spec"]["containers"]
    names = [variable["name"] for variable in container["env"]]
    assert len(set(names)) == len(names), "no variable is there twice"
    return {variable["name"]: variable.get("value") for variable in container["env"]}


def check_chart() -> None:
    report = lint(CHART, VALUES, strict=True)
    assert not report["errors"] and all(message["severity"] == 1 for message in report["messages"]), report
    objects = rendered()
    kinds = sorted(found["kind"] for found in objects)
    budgets = ["PodDisruptionBudget", "PodDisruptionBudget"]
    assert kinds == ["Deployment", "Deployment", *budgets, "ScaledObject", "Secret", "Service", "ServiceAccount"]
    gateway, worker = environment(objects, "gateway"), environment(objects, "worker")
    assert all(gateway[name] == worker[name] for name in ("STEMWIRE_CLUSTER", "STEMWIRE_CLUSTER_SECRET_FILE"))
    assert worker["STEMWIRE_THREADS"] == "4" and worker["STEMWIRE_PROVIDER"] == "cpu"
    assert gateway["STEMWIRE_ALLOW_HOST"] == "music.example" and gateway["STEMWIRE_MAX_CACHE"] == "10GiB"
    assert gateway["STEMWIRE_FETCH_MODELS"] == "htdemucs" and worker["STEMWIRE_STORE"] == gateway["STEMWIRE_STORE"]
    without_models = environment(rendered(models=[]), "worker")
    assert not {"STEMWIRE_STORE", "STEMWIRE_MODELS_DIR"} & set(without_models), "those of the image"
    traced = rendered(otlp="http://collector:4317")
    assert all(environment(traced, part)["STEMWIRE_OTLP"] == "http://collector:4317" for part in ("gateway", "worker"))
    (scaled,) = (found for found in objects if found["kind"] == "ScaledObject")
    (trigger,) = scaled["spec"]["triggers"]
    assert trigger["metadata"]["lagThreshold"] == "1" and trigger["metadata"]["account"] == "$G"
    # Without KEDA, with a Secret of one's own, in which NATS is named.
    own = rendered(cluster="", keda={"enabled": False}, secret={"existing": "own", "tokens": [], "clusterSecret": ""})
    assert not {"ScaledObject", "Secret"} & {found["kind"] for found in own}
    without: list[dict] = [
        {"store": ""}, {"cluster": ""}, {"secret": {"tokens": []}}, {"secret": {"clusterSecret": ""}}, {"keda": {"consumers": []}}
    ]
    for missing in without:
        try:
            rendered(**missing)
        except HelmError as error:
            assert "is missing" in str(error), error
        else:
            raise AssertionError(f"the chart is rendered with {missing}")


def check_dashboard(scratch: Path) -> None:
    """Its queries, as rules."""
    panels = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())["panels"]
    queries = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    queries = [query.replace("$__rate_interval", "1m").replace("$instance", ".*") for query in queries]
    rules = [{"record": f"query_{number}", "expr": query} for number, query in enumerate(queries)]
    file = scratch / "dashboard.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    run("promtool", "check", "rules", file)


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        check_systemd(Path(scratch))
        check_dashboard(Path(scratch))
    check_compose()
    check_chart()
    print("the files of docs/deploy are what their tools expect")


if __name__ == "__main__":
    main()
