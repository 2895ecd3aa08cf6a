"""What is in `docker/`: images, compose file and manifests, as far as they can be judged without running them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
KUBERNETES = DOCKER / "kubernetes"
TOOLS = Path(sys.executable).parent
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (DOCKER / "Dockerfile").read_text()
PROGRAMS = {path.name for path in (DOCKER / "bin").iterdir()}

#: Releases of Kubernetes that the manifests are validated for: the newest whose schema is there, and an older one.
RELEASES = ("1.33", kubernetes_validate.latest_version())

#: What is used of KEDA's own kinds; their schemas are in no package.
SCALED_OBJECT = {
    "type": "object",
    "additionalProperties": False,
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"const": "keda.sh/v1alpha1"},
        "kind": {"const": "ScaledObject"},
        "metadata": {"type": "object", "required": ["name"]},
        "spec": {
            "type": "object",
            "additionalProperties": False,
            "required": ["scaleTargetRef", "triggers"],
            "properties": {
                "scaleTargetRef": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["name"],
                    "properties": {name: {"type": "string"} for name in ("name", "kind", "apiVersion")},
                },
                "minReplicaCount": {"type": "integer", "minimum": 0},
                "maxReplicaCount": {"type": "integer", "minimum": 1},
                "pollingInterval": {"type": "integer", "minimum": 1},
                "cooldownPeriod": {"type": "integer", "minimum": 0},
                "advanced": {"type": "object"},
                "triggers": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["type", "metadata"],
                        "properties": {
                            "type": {"const": "metrics-api"},
                            "metricType": {"enum": ["AverageValue", "Value", "Utilization"]},
                            "metadata": {
                                "type": "object",
                                "additionalProperties": {"type": "string"},
                                "required": ["url", "format", "valueLocation", "targetValue"],
                            },
                        },
                    },
                },
            },
        },
    },
}


# -- images --------------------------------------------------------------------------------------


def test_the_dockerfile_is_sound() -> None:
    """Hadolint finds nothing; where it is silenced, its configuration says why."""
    linter = [str(TOOLS / "hadolint"), "--config", str(DOCKER / "hadolint.yaml"), str(DOCKER / "Dockerfile")]
    done = subprocess.run(linter, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_programs_of_the_images_are_sound() -> None:
    """Shellcheck finds nothing in the shell scripts."""
    scripts = [path for path in (DOCKER / "bin").iterdir() if "python" not in path.read_text().partition("\n")[0]]
    words = [str(TOOLS / "shellcheck"), "--external-sources", "--source-path", str(DOCKER / "bin"), "--shell", "sh"]
    words += [str(path) for path in (*scripts, DOCKER / "secrets.sh")]
    done = subprocess.run(words, cwd=DOCKER / "bin", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_image_runs_as_root_or_names_a_registry() -> None:
    """Each target ends as the one user, and everything stands on the base that the builder chooses."""
    stages = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]
    names = [stage.split()[2] for stage in stages]
    assert {stage.split()[0] for stage in stages} <= {"${BASE}", *names}
    for stage, name in zip(stages, names, strict=True):
        if "\nCMD " in stage:
            assert re.findall(r"^USER (\S+)", stage, re.MULTILINE) == ["10001:10001"], name
            assert re.search(r'^CMD \["(\S+)"\]', stage, re.MULTILINE), "the form that passes signals on"
    everything = [path for path in DOCKER.rglob("*") if path.is_file() and path.parent.name != "secrets"]
    for path in everything:
        assert not re.search(r"docker\.io/|ghcr\.io|quay\.io|index-url|--registry", path.read_text()), path


def test_the_locks_of_the_images_are_parts_of_the_lock() -> None:
    """What the images install is what the tests ran with, by hash; and it is all that tinytown needs."""
    whole = _pins(ROOT / "requirements.lock")
    for name in ("requirements.lock", "build.lock"):
        pins = _pins(DOCKER / name)
        assert {package: whole.get(package) for package in pins} == pins, f"run `make lock` ({name})"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = {re.split(r"[\[<>=;]", one)[0].lower() for one in project["project"]["dependencies"]}
    assert needed <= {package.partition("==")[0] for package in _pins(DOCKER / "requirements.lock")}
    assert {re.split(r"[<>=]", one)[0] for one in project["build-system"]["requires"]} <= {
        package.partition("==")[0] for package in _pins(DOCKER / "build.lock")
    }


def test_the_builder_sees_no_secret() -> None:
    """The context is a list of what may be in it."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert lines[0] == "*"
    assert "docker/secrets" in lines[lines.index("!docker") :]
    assert "docker/.env" in lines[lines.index("!docker") :]
    assert {"/docker/secrets/", "/docker/.env"} <= set((ROOT / ".gitignore").read_text().split())


def test_every_pinned_cli_is_one_that_a_driver_knows() -> None:
    rows = [line.split() for line in (DOCKER / "clis.txt").read_text().splitlines() if line[:1] not in ("", "#")]
    drivers = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["tinytown.agents"]
    assert {name for name, *_ in rows} - drivers.keys() <= {"node", "mini", "openhands"}
    for _, registry, package in rows:
        assert re.fullmatch(r"@?[\w./-]+@\d[\w.]*" if registry == "npm" else r"[\w-]+==\d[\w.]*", package), package


def _pins(path: Path) -> dict[str, frozenset[str]]:
    """By package and release: the hashes of its files."""
    found: dict[str, frozenset[str]] = {}
    for block in re.split(r"\n(?=[a-z0-9])", path.read_text()):
        if pin := re.match(r"([a-z0-9._-]+)==\S+", block):
            found[pin[0]] = frozenset(re.findall(r"sha256:[0-9a-f]{64}", block))
    return found


# -- compose -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_hardened_and_watched(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][:2] == ["CMD", "town-healthy"]
    assert f"\ndef {service['healthcheck']['test'][2]}()" in (DOCKER / "bin/town-healthy").read_text()
    assert service.get("command", ["tt"])[0] in PROGRAMS
    assert "privileged" not in service
    assert "network_mode" not in service


def test_secrets_are_files_that_the_script_writes(tmp_path: Path) -> None:
    """None is in an environment; a second run of the script changes none; the folder is closed."""
    folder = tmp_path / "secrets"
    environment = {"PATH": "/usr/bin:/bin", "GH_TOKEN": "ghp_abc", "OPENAI_API_KEY": "sk-1 2"}
    subprocess.run([DOCKER / "secrets.sh", folder], env=environment, check=True, capture_output=True)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    subprocess.run([DOCKER / "secrets.sh", folder], env={"PATH": "/usr/bin:/bin"}, check=True, capture_output=True)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert folder.stat().st_mode & 0o777 == 0o700
    assert before["github_token"] == b"ghp_abc"
    assert before["agent_environment"] == b"OPENAI_API_KEY=sk-1 2\n"
    assert len(before["redis_password"]) == 48
    declared = {name: Path(one["file"]).name for name, one in COMPOSE["secrets"].items()}
    assert set(declared.values()) <= before.keys()
    for name, service in SERVICES.items():
        assert set(service["secrets"]) <= declared.keys(), name
        for variable, value in service.get("environment", {}).items():
            assert not re.search("TOKEN|PASSWORD|KEY", f"{variable}={value}"), f"{name}: {variable}"


def test_only_the_home_has_the_forges_token() -> None:
    """A worker's secrets open the database and the hub, and the agents' own service; beat and Flower need less."""
    assert {name for name, one in SERVICES.items() if "github_token" in one["secrets"]} == {"control"}
    assert {name for name, one in SERVICES.items() if "agent_environment" in one["secrets"]} == {
        "backend", "frontend", "reviewer",
    }  # fmt: skip
    assert {name for name, one in SERVICES.items() if "hub_host_key" in one["secrets"]} == {"hub"}


def test_every_variable_is_explained_or_has_a_default() -> None:
    text = (DOCKER / "compose.yaml").read_text()
    explained = set(re.findall(r"^([A-Z_]+)=", (DOCKER / "example.env").read_text(), re.MULTILINE))
    without = set(re.findall(r"\$\{([A-Z_]+)\}", text))
    assert without <= explained
    assert explained <= set(re.findall(r"\$\{([A-Z_]+)", text))


# -- Kubernetes ----------------------------------------------------------------------------------


def _documents() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(KUBERNETES.glob("*.yaml")):
        if path.name != "kustomization.yaml":
            for document in yaml.safe_load_all(path.read_text()):
                yield path.name, document


MANIFESTS = list(_documents())
BY_KIND: dict[str, dict[str, dict[str, Any]]] = {}
for _, one in MANIFESTS:
    BY_KIND.setdefault(one["kind"], {})[one["metadata"]["name"]] = one
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
WORKLOADS = {**BY_KIND["Deployment"], **BY_KIND["StatefulSet"]}


@pytest.mark.parametrize("release", RELEASES)
def test_manifests_are_valid(release: str) -> None:
    for file, document in MANIFESTS:
        if document["apiVersion"].startswith("keda.sh/"):
            jsonschema.validate(document, SCALED_OBJECT)
        else:
            try:
                kubernetes_validate.validate(document, release, strict=True)
            except kubernetes_validate.ValidationError as error:
                pytest.fail(f"{file}, {document['kind']} {document['metadata']['name']}: {error}")


def test_the_kustomization_lists_every_file_once() -> None:
    files = sorted(path.name for path in KUBERNETES.glob("*.yaml") if path.name != "kustomization.yaml")
    assert sorted(KUSTOMIZATION["resources"]) == files
    used = {container["image"] for workload in WORKLOADS.values() for container in _containers(workload)}
    assert {image["name"] for image in KUSTOMIZATION["images"]} == used
    assert {f"tinytown-{name}" for name in ("control", "worker", "hub")} == used
    assert len({(one["kind"], one["metadata"]["name"]) for _, one in MANIFESTS}) == len(MANIFESTS)


def test_every_reference_resolves() -> None:
    """Selectors select, ports and volumes are there, secrets are files of the script, programs are in the image."""
    written = {Path(one["file"]).name for one in COMPOSE["secrets"].values()}
    settings = {one["name"] for one in KUSTOMIZATION["configMapGenerator"]}
    for name, workload in WORKLOADS.items():
        spec = workload["spec"]["template"]["spec"]
        labels = workload["spec"]["template"]["metadata"]["labels"]
        assert workload["spec"]["selector"]["matchLabels"].items() <= labels.items(), name
        volumes = {one["name"] for one in spec["volumes"]}
        volumes |= {one["metadata"]["name"] for one in workload["spec"].get("volumeClaimTemplates", ())}
        for volume in spec["volumes"]:
            if secret := volume.get("secret"):
                assert secret["secretName"] == "town-secrets"
                assert {item["key"] for item in secret["items"]} <= written, name
        for container in spec["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes, name
            assert {source["configMapRef"]["name"] for source in container.get("envFrom", ())} <= settings
            programs = [container["args"], *_commands(container)]
            assert {words[0] for words in programs} <= PROGRAMS, name
            ports = {port["name"] for port in container.get("ports", ())}
            assert set(_probed(container)) <= ports, name
    for name, service in BY_KIND["Service"].items():
        pods = [one["spec"]["template"] for one in WORKLOADS.values()]
        chosen = [pod for pod in pods if service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()]
        assert len(chosen) == 1, name
        there = {
            port["name"]: port["containerPort"]
            for one in chosen[0]["spec"]["containers"]
            for port in one.get("ports", ())
        }
        for port in service["spec"]["ports"]:
            assert there[port["targetPort"]] == port["port"], name
    for name, stateful in BY_KIND["StatefulSet"].items():
        assert stateful["spec"]["serviceName"] in BY_KIND["Service"], name
    for name, budget in BY_KIND["PodDisruptionBudget"].items():
        wanted = budget["spec"]["selector"]["matchLabels"]
        assert wanted.items() <= WORKLOADS[name]["spec"]["template"]["metadata"]["labels"].items()


def test_every_role_is_scaled_by_the_number_of_workers_that_it_wants() -> None:
    roles = set(BY_KIND["Deployment"])
    assert roles == {name for name, one in SERVICES.items() if one["image"].endswith("worker")}
    assert BY_KIND["ScaledObject"].keys() == BY_KIND["PodDisruptionBudget"].keys() == roles
    port = BY_KIND["Service"]["control"]["spec"]["ports"][0]["port"]
    for role, scaled in BY_KIND["ScaledObject"].items():
        assert scaled["spec"]["scaleTargetRef"]["name"] == role
        assert scaled["spec"]["minReplicaCount"] == 0
        (trigger,) = scaled["spec"]["triggers"]
        assert trigger["metadata"]["valueLocation"] == f'tinytown_wanted_workers{{role="{role}"}}'
        assert trigger["metadata"]["url"] == f"http://control.{KUSTOMIZATION['namespace']}.svc:{port}/metrics"
        container = _containers(BY_KIND["Deployment"][role])[0]
        assert {"name": "ROLE", "value": role} in container["env"]


def test_pods_are_hardened_and_watched() -> None:
    for name, workload in WORKLOADS.items():
        spec = workload["spec"]["template"]["spec"]
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault", name
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] is True, name
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name
            assert "limits" in container["resources"], name
            assert {"livenessProbe", "readinessProbe"} & container.keys(), name


def test_nobody_is_reached_who_is_not_named() -> None:
    """All traffic is refused first; then the database, the hub and the numbers are opened to those who need them."""
    policies = BY_KIND["NetworkPolicy"]
    assert policies["nothing"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    opened = {
        name: [port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]]
        for name, policy in policies.items()
        if "ingress" in policy["spec"]
    }
    assert opened == {"redis": [6379], "hub": [2222], "metrics": [9464]}
    world = [
        peer["ipBlock"] for rule in policies["hosts"]["spec"]["egress"] for peer in rule["to"] if "ipBlock" in peer
    ]
    assert all("169.254.0.0/16" in one["except"] for one in world if one["cidr"] == "0.0.0.0/0"), "the cloud's metadata"


@pytest.mark.parametrize("release", RELEASES)
def test_the_sandbox_component_changes_what_it_names(release: str) -> None:
    component = yaml.safe_load((KUBERNETES / "sandbox/kustomization.yaml").read_text())
    (patch,) = component["patches"]
    assert patch["target"] == {"kind": "Deployment", "labelSelector": "tinytown/role"}
    for deployment in BY_KIND["Deployment"].values():
        assert "tinytown/role" in deployment["metadata"]["labels"]
        patched = json.loads(json.dumps(deployment))
        for step in yaml.safe_load(patch["patch"]):
            *way, last = step["path"].strip("/").split("/")
            place = patched
            for part in way:
                place = place[int(part) if isinstance(place, list) else part]
            assert (last in place) == (step["op"] == "replace"), step["path"]
            place[last] = step["value"]
        kubernetes_validate.validate(patched, release, strict=True)


def _containers(workload: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = workload["spec"]["template"]["spec"]["containers"]
    return found


def _commands(container: dict[str, Any]) -> Iterator[list[str]]:
    """What probes and hooks run."""
    for key in ("startupProbe", "readinessProbe", "livenessProbe"):
        if "exec" in container.get(key, {}):
            yield container[key]["exec"]["command"]
    for hook in container.get("lifecycle", {}).values():
        yield hook["exec"]["command"]


def _probed(container: dict[str, Any]) -> Iterator[str]:
    """Names of the ports that probes ask."""
    for key in ("startupProbe", "readinessProbe", "livenessProbe"):
        for way in ("httpGet", "tcpSocket"):
            if way in container.get(key, {}):
                yield container[key][way]["port"]
