"""The values for Dagster's Helm chart: what its published schema demands, and what becomes of them in a pod.

The schema's facts are those of ``helm/dagster/schema`` in Dagster's repository (``values.py``, ``run_launcher.py``,
``concurrency.py``, ``daemon.py``, ``user_deployments.py``, ``kubernetes.py``): which keys there are, and which classes
refuse others (``extra="forbid"``). The chart fills in what is left out here. No cluster is asked.
"""

import json
import re
import tomllib
from typing import Any

import pytest
from dagster_k8s.container_context import K8sContainerContext
from dagster_k8s.job import DagsterK8sJobConfig, UserDefinedDagsterK8sConfig, construct_dagster_k8s_job
from ruamel.yaml import YAML

from sparkle_dagster.settings import SELECTORS
from tests.docker.recipes import PROJECT, environment_of, last_stage, read_dockerfile

TOP = {
    "dagsterWebserver", "dagster-user-deployments", "postgresql", "generatePostgresqlPasswordSecret",
    "generateCeleryConfigSecret", "rabbitmq", "redis", "flower", "ingress", "imagePullSecrets", "computeLogManager",
    "scheduler", "runLauncher", "pythonLogs", "dagsterDaemon", "busybox", "migrate", "telemetry", "serviceAccount",
    "global", "retention", "concurrency", "additionalInstanceConfig",
}  # fmt: skip
DEPLOYMENT = {
    "name", "image", "dagsterApiGrpcArgs", "codeServerArgs", "includeConfigInLaunchedRuns", "deploymentNamespace",
    "port", "replicaCount", "env", "envConfigMaps", "envSecrets", "annotations", "nodeSelector", "affinity",
    "tolerations", "podSecurityContext", "securityContext", "resources", "livenessProbe", "readinessProbe",
    "startupProbe", "labels", "volumeMounts", "volumes", "schedulerName", "initContainers", "sidecarContainers",
    "deploymentStrategy",
}  # fmt: skip
RUN_LAUNCHER = {
    "image", "imagePullPolicy", "jobNamespace", "loadInclusterConfig", "kubeconfigFile", "envConfigMaps", "envSecrets",
    "envVars", "volumeMounts", "volumes", "labels", "failPodOnRunFailure", "resources", "schedulerName",
    "securityContext", "runK8sConfig",
}  # fmt: skip
RUN_K8S_CONFIG = {"containerConfig", "podSpecConfig", "podTemplateSpecMetadata", "jobSpecConfig", "jobMetadata"}
POOLS = {"defaultLimit", "granularity", "opGranularityRunBuffer"}
RUNS = {"maxConcurrentRuns", "tagConcurrencyLimits"}
PULL_POLICIES = {"Always", "IfNotPresent", "Never"}

Values = dict[str, Any]


def problems(values: Values) -> list[str]:
    """Where values are not what the chart's schema demands."""
    (deployment,) = values["dagster-user-deployments"]["deployments"]
    launcher = values["runLauncher"]
    kubernetes = launcher["config"]["k8sRunLauncher"]
    found = [
        *_unknown("values", values, TOP),
        *_unknown("deployment", deployment, DEPLOYMENT),
        *_missing("deployment", deployment, {"name", "image", "port"}),
        *_missing("image", deployment["image"], {"repository", "pullPolicy"}),
        *_missing("user deployments", values["dagster-user-deployments"], {"enabled", "enableSubchart"}),
        *_unknown("runLauncher", launcher, {"type", "config"}),
        *_unknown("k8sRunLauncher", kubernetes, RUN_LAUNCHER),
        *_unknown("runK8sConfig", kubernetes.get("runK8sConfig", {}), RUN_K8S_CONFIG),
        *_unknown("concurrency", values["concurrency"], {"enabled", "pools", "runs"}),
        *_unknown("pools", values["concurrency"]["pools"], POOLS),
        *_unknown("runs", values["concurrency"]["runs"], RUNS),
    ]
    policies = {deployment["image"].get("pullPolicy"), kubernetes["imagePullPolicy"]}
    return found + [f"pull policy {policy!r}" for policy in sorted(policies - PULL_POLICIES)]


def _unknown(what: str, found: Values, known: set[str]) -> list[str]:
    return [f"{what}: the chart knows no {name}" for name in sorted(found.keys() - known)]


def _missing(what: str, found: Values, needed: set[str]) -> list[str]:
    return [f"{what}: the chart needs {name}" for name in sorted(needed - found.keys())]


@pytest.fixture
def values() -> Values:
    text = (PROJECT / "docker/k8s/values.yaml").read_text(encoding="utf-8")
    found: Values = json.loads(json.dumps(YAML(typ="safe", pure=True).load(text)))
    return found


@pytest.fixture
def deployment(values: Values) -> Values:
    (found,) = values["dagster-user-deployments"]["deployments"]
    return found


@pytest.mark.requirement("S44")
def test_the_charts_schema_takes_them(values: Values) -> None:
    assert problems(values) == []


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("dagit",), {}, "values: the chart knows no dagit"),
        (("runLauncher", "config", "k8sRunLauncher", "imagePullPolicy"), "Sometimes", "pull policy 'Sometimes'"),
        (("runLauncher", "config", "k8sRunLauncher", "gpus"), 1, "k8sRunLauncher: the chart knows no gpus"),
        (("concurrency", "pools", "gpu"), 1, "pools: the chart knows no gpu"),
    ],
)
def test_what_its_schema_refuses_is_found(values: Values, path: tuple[str, ...], value: Any, problem: str) -> None:
    inner = values
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    assert problems(values) == [problem]


def test_every_mount_has_its_volume_and_the_images_folders(deployment: Values) -> None:
    volumes = {volume["name"] for volume in deployment["volumes"]}
    mounts = {mount["mountPath"]: mount["name"] for mount in deployment["volumeMounts"]}
    assert set(mounts.values()) == volumes
    stage = last_stage(read_dockerfile("docker/Dockerfile.gpu"))
    (declared,) = (item.words for item in stage if item.keyword == "VOLUME")
    assert set(declared) <= mounts.keys()
    (root,) = (item.text for item in stage if item.keyword == "WORKDIR")
    files = [path.removeprefix(f"{root}/") for path, name in mounts.items() if name == "configs"]
    assert files
    assert all((PROJECT / file).is_file() for file in files)


def test_its_variables_are_selectors_and_its_user_is_the_images(deployment: Values) -> None:
    stage = last_stage(read_dockerfile("docker/Dockerfile.gpu"))
    assert deployment["env"].keys() <= set(SELECTORS)
    assert not deployment["env"].keys() & environment_of(stage).keys(), "the image says those itself"
    (user,) = (item.text for item in stage if item.keyword == "USER")
    assert deployment["podSecurityContext"]["fsGroup"] == int(user)


def test_the_code_location_is_the_projects(deployment: Values) -> None:
    said = deployment["dagsterApiGrpcArgs"]
    arguments = dict(zip(said[::2], said[1::2], strict=True))
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["dagster"]
    assert arguments == {"--module-name": project["module_name"], "--location-name": project["code_location_name"]}


@pytest.mark.requirement("S44", "U3")
def test_a_step_of_the_gpu_lane_becomes_a_pod_with_a_gpu_and_the_state(values: Values, deployment: Values) -> None:
    """By dagster-k8s, with what the chart hands to it."""
    shared = {
        "env_vars": [f"{name}={value}" for name, value in deployment["env"].items()],
        "env_secrets": [secret["name"] for secret in deployment["envSecrets"]],
        "volumes": deployment["volumes"],
        "volume_mounts": deployment["volumeMounts"],
    }
    launched = values["runLauncher"]["config"]["k8sRunLauncher"]["runK8sConfig"]
    gpu = {"container_config": {"resources": {"limits": {"nvidia.com/gpu": "1"}}}}
    context = K8sContainerContext.create_from_config({"k8s": shared})
    for config in (UserDefinedDagsterK8sConfig.from_dict(found) for found in (_snake(launched), gpu)):
        context = context.merge(K8sContainerContext(run_k8s_config=config))
    job = construct_dagster_k8s_job(
        DagsterK8sJobConfig(job_image="sparkle:gpu"), ["dagster"], "step", context.run_k8s_config
    ).to_dict()
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": "1"}
    mounts = {mount["mount_path"] for mount in container["volume_mounts"]}
    assert mounts >= {mount["mountPath"] for mount in deployment["volumeMounts"]}
    assert {"name": "SPARKLE_EXECUTOR", "value": "k8s", "value_from": None} in container["env"]
    assert job["spec"]["ttl_seconds_after_finished"] == launched["jobSpecConfig"]["ttlSecondsAfterFinished"]


def _snake(document: Values) -> Values:
    """The chart's names as dagster-k8s writes them: the outer ones alone, Kubernetes' own it takes as they are."""
    return {re.sub(r"[A-Z]", lambda match: f"_{match[0].lower()}", name): value for name, value in document.items()}
