"""The files of docs/deploy are well formed, and name options, variables and metrics that there are."""
import json
import re
import subprocess
import sys

import pytest
import yaml

from ..repository import ROOT

DEPLOY = ROOT / "docs" / "deploy"
OPERATIONS = (ROOT / "docs" / "OPERATIONS.md").read_text()
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file())
CHART = DEPLOY / "helm" / "stemwire"

# Templates are YAML once Helm has filled them in: `make deploy` does that.
YAML = [path for path in FILES if path.suffix == ".yaml" and path.parent.name != "templates"]

# Options of cargo, Docker, Helm, nats-server, apt, useradd, install, versitygw.
OPTIONS_OF_OTHERS = set(
    "build build-arg detach directory file home-dir http_port jetstream locked no-create-home now no-install-recommends owner pass port"
    " release rm scale system tag uid user values yes shell".split()
)
VARIABLES_OF_OTHERS = {"STEMWIRE_LOG"}


@pytest.fixture(scope="module")
def helps(binary) -> str:
    """The help of all commands that are deployed."""
    commands = [["serve"], ["worker"], ["cluster", "check"], ["models", "pull"], ["models", "push"]]
    commands.append(["runtime", "install"])
    run = lambda command: subprocess.run([binary, *command, "--help"], check=True, capture_output=True, text=True).stdout
    return "\n".join(map(run, commands))


def options_of(helps: str) -> set[str]:
    return set(re.findall(r"^ +(?:-\w, )?--([\w-]+)", helps, re.MULTILINE))


def test_there_are_files_for_each_way():
    found = {path.relative_to(DEPLOY).parts[0] for path in FILES}
    assert {"Dockerfile", "systemd", "compose", "helm", "prometheus", "grafana", "proxies"} <= found
    assert len(YAML) >= 6


def test_every_option_and_variable_is_one_of_the_program(helps):
    options, variables = options_of(helps), set(re.findall(r"\bSTEMWIRE_[A-Z_]+\b", helps))
    assert {"max-open", "cluster-address", "name"} <= options and "STEMWIRE_CLUSTER_SECRET" in variables
    for path in FILES:
        text = path.read_text()
        named = set(re.findall(r"(?<![\w-])--([a-z][\w-]+)", text))
        assert named <= options | OPTIONS_OF_OTHERS, path
        # What ends with an underscore is completed by a template.
        named = {name for name in re.findall(r"\bSTEMWIRE_[A-Z_]+\b", text) if not name.endswith("_")}
        assert named <= variables | VARIABLES_OF_OTHERS, path


def test_the_values_of_the_chart_name_options(helps):
    for path in (CHART / "values.yaml", CHART / "example-values.yaml"):
        values = yaml.safe_load(path.read_text())
        for component in ("gateway", "worker"):
            named = set(values.get(component, {}).get("options", {}))
            assert named <= options_of(helps), (path, component)


def test_the_versions_are_those_of_the_program():
    version = re.search(r'^version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE).group(1)
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == version


def test_names_of_streams_are_those_of_the_program():
    code = (ROOT / "src" / "cluster" / "tasks" / "stream.rs").read_text()
    stream = re.search(r'STREAM: &str = "(.*)"', code).group(1)
    assert f"stream: {stream}\n" in (CHART / "templates" / "scaledobject.yaml").read_text()


def expressions(value) -> list[str]:
    """All `expr` in a tree."""
    if isinstance(value, list):
        return [found for item in value for found in expressions(item)]
    if isinstance(value, dict):
        own = [value["expr"]] if isinstance(value.get("expr"), str) else []
        return own + [found for item in value.values() for found in expressions(item)]
    return []


def test_every_metric_of_alerts_and_dashboard_is_documented():
    table = OPERATIONS.split("\n## Metrics\n")[1].split("\n## ")[0]
    documented = set(re.findall(r"\bstemwire_\w+", table))
    dashboard = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())
    alerts = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())
    for tree in (dashboard, alerts):
        used = {name for text in expressions(tree) for name in re.findall(r"\bstemwire_\w+", text)}
        used = {re.sub(r"_(bucket|sum|count)$", "", name) for name in used}
        assert len(used) > 8 and used <= documented
    shown = {name for text in expressions(dashboard) for name in re.findall(r"\bstemwire_\w+", text)}
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown} == documented, "the dashboard shows all of them"


def test_every_alert_has_a_test():
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())["groups"][0]["rules"]
    tests = yaml.safe_load((DEPLOY / "prometheus" / "alerts_test.yaml").read_text())["tests"]
    quiet, *others = tests
    assert {test["alertname"] for test in quiet["alert_rule_test"]} == {rule["alert"] for rule in rules}
    for rule in rules:
        assert rule["alert"] in json.dumps(others), "a test in which it fires"


@pytest.mark.parametrize("path", YAML, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_yaml_is_well_formed(path):
    assert list(yaml.safe_load_all(path.read_text()))


def test_yaml_has_one_style():
    rules = """{extends: default, rules: {
        line-length: {max: 140}, document-start: disable, braces: {max-spaces-inside: 1}, comments: {min-spaces-from-content: 1},
        indentation: {indent-sequences: whatever}, truthy: {check-keys: false}}}"""
    command = [sys.executable, "-m", "yamllint", "--strict", "--config-data", rules, *map(str, YAML)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout
