"""PaaSTA's own answers in the format of the conformance vectors.

Reads cases (JSON lines with `kind` and `input`) from standard input and writes them to standard output with `expected`. Everything is
asked of PaaSTA's own functions over a soa tree and a system configuration written to disk. What is replaced: the API server (a stand-in
that knows replicas and ConfigMaps), the git server (refs of the case), the clock in tag names, Tron's own checker (accepts everything),
/etc/services, the location graph and the list of monitoring teams: none of it is PaaSTA's.
"""
import contextlib
import copy
import datetime
import functools
import gc
import io
import json
import logging
import math
import os
import re
import shutil
import sys
import tempfile
import warnings
from types import SimpleNamespace
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Tuple

warnings.simplefilter("ignore")
ROOT = tempfile.mkdtemp(prefix="paasta-fresh-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
SOA = os.path.join(ROOT, "soa")
SYSTEM = os.path.join(ROOT, "etc")
os.environ["PAASTA_SYSTEM_CONFIG_DIR"] = SYSTEM

import service_configuration_lib  # noqa: E402

# Captured by PaaSTA's modules when they are loaded.
service_configuration_lib.DEFAULT_SOA_DIR = SOA

import environment_tools.type_utils as type_utils  # noqa: E402
import yaml  # noqa: E402
from jsonschema import exceptions as schema_errors  # noqa: E402
from kubernetes import client as k8s  # noqa: E402
from kubernetes.client.rest import ApiException  # noqa: E402
from paasta_tools import (  # noqa: E402
    adhoc_tools,
    bounce_lib,
    drain_lib,
    eks_tools,
    generate_deployments_for_service as generator,
    kubernetes_tools as kt,
    long_running_service_tools as lrs,
    remote_git,
    secret_tools,
    tron_tools,
    utils,
)
from paasta_tools.cli import utils as cli_utils  # noqa: E402
from paasta_tools.cli.cmds import validate  # noqa: E402
from ruamel.yaml.constructor import RoundTripConstructor  # noqa: E402
from paasta_tools.kubernetes.application import controller_wrappers as wrappers  # noqa: E402

logging.disable(logging.CRITICAL)
Json = Any


# ---- Values and errors as the vectors write them


def written(value: Any, floats: bool = False, above: Tuple[int, ...] = ()) -> Json:
    """A value of Python's in JSON; `floats`: integral floats are told from integers (kind yaml)."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            return {"$float": str(value)}
        return {"$float": repr(value)} if floats and value.is_integer() else value
    if isinstance(value, int):
        return value if abs(value) <= 2**53 else {"$int": str(value)}
    if isinstance(value, datetime.datetime):
        return {"$datetime": value.isoformat()}
    if isinstance(value, datetime.date):
        return {"$date": value.isoformat()}
    if isinstance(value, bytes):
        import base64

        return {"$binary": base64.b64encode(value).decode()}
    if id(value) in above:
        return {"$recursive": True}
    inside = above + (id(value),)
    if isinstance(value, (set, frozenset)):
        return {"$set": sorted((written(v, floats, inside) for v in value), key=lambda v: v if isinstance(v, str) else json.dumps(v))}
    if isinstance(value, (list, tuple)):
        return [written(v, floats, inside) for v in value]
    if isinstance(value, Mapping):
        if all(isinstance(k, str) for k in value):
            return {k: written(v, floats, inside) for k, v in value.items()}
        return {"$map": [[written(k, floats, inside), written(v, floats, inside)] for k, v in value.items()]}
    return str(value)


def failure(error: BaseException) -> Json:
    out: Dict[str, Any] = {"error": type(error).__name__}
    mark = getattr(error, "problem_mark", None)
    if isinstance(error, yaml.YAMLError):
        out["message"] = " ".join(str(part) for part in (getattr(error, "context", None), getattr(error, "problem", None)) if part)
        if mark is not None:
            out.update(line=mark.line, column=mark.column)
        return out
    out["message"] = str(error).replace(SOA, "/soa").replace(SYSTEM, "/etc/paasta")
    return out


def attempt(body: Callable[[], Any]) -> Any:
    try:
        return body()
    except (Exception, RecursionError) as error:
        return failure(error)


def is_failure(value: Any) -> bool:
    return isinstance(value, dict) and "error" in value and set(value) <= {"error", "message", "line", "column"}


# ---- The world of one case

CACHES: List[Any] = []
API = k8s.ApiClient(k8s.Configuration())


def find_caches() -> None:
    for thing in gc.get_objects():
        if isinstance(thing, utils.time_cache):
            CACHES.append(thing.configs.clear)
        elif isinstance(thing, functools._lru_cache_wrapper) and str(getattr(thing, "__module__", "")).startswith("paasta_tools"):
            CACHES.append(thing.cache_clear)


def forget() -> None:
    service_configuration_lib._yaml_cache.clear()
    for clear in CACHES:
        clear()


def write_tree(root: str, files: Mapping[str, str]) -> None:
    shutil.rmtree(root, ignore_errors=True)
    os.makedirs(root)
    for name, text in files.items():
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8", newline="", errors="surrogatepass") as out:
            out.write(text)


def set_world(given: Json) -> None:
    write_tree(SOA, given.get("files", {}))
    write_tree(SYSTEM, {"system.json": json.dumps(given.get("system", {}))})
    LIVE.clear()
    LIVE.update(given.get("live") or {})
    forget()


LIVE: Dict[str, Any] = {}


class Cluster:
    """What PaaSTA asks of the API server: replicas of the running object and signatures of secrets."""

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        self.made: Dict[str, Any] = {}
        self.deployments = SimpleNamespace(
            read_namespaced_deployment=self._scale, read_namespaced_stateful_set=self._scale
        )
        self.core = SimpleNamespace(read_namespaced_config_map=self._config_map, create_namespaced_service_account=self._keep("service_account"))
        self.policy = SimpleNamespace(
            read_namespaced_pod_disruption_budget=self._nothing, create_namespaced_pod_disruption_budget=self._keep_budget
        )
        self.autoscaling = SimpleNamespace(
            list_namespaced_horizontal_pod_autoscaler=lambda **_: SimpleNamespace(items=[]),
            create_namespaced_horizontal_pod_autoscaler=self._keep("hpa"),
        )

    def _scale(self, name: str, namespace: str) -> Any:
        replicas = LIVE.get("replicas")
        if replicas is None:
            raise ApiException(status=404)
        return SimpleNamespace(spec=SimpleNamespace(replicas=replicas))

    def _config_map(self, name: str, namespace: str) -> Any:
        maps = LIVE.get("configmaps") or {}
        if name not in maps:
            raise ApiException(status=404)
        return SimpleNamespace(data={"signature": maps[name]})

    def _nothing(self, *_args: Any, **_kwargs: Any) -> Any:
        raise ApiException(status=404)

    def _keep(self, kind: str) -> Callable[..., None]:
        def keep(*, body: Any, **_: Any) -> None:
            self.made[kind] = body

        return keep

    def _keep_budget(self, *, body: Any, **_: Any) -> None:
        self.made["pdb"] = body


kt.KubeClient = Cluster
kt.get_all_service_accounts = lambda *_args, **_kwargs: []
wrappers.autoscaling_is_paused = lambda: False
tron_tools.subprocess = SimpleNamespace(
    run=lambda *_args, **_kwargs: SimpleNamespace(returncode=0, stdout="", stderr=""), PIPE=-1
)


def plain(thing: Any) -> Any:
    """A Kubernetes object as it goes to the API server; anything else as it is."""
    return written(API.sanitize_for_serialization(thing)) if hasattr(thing, "openapi_types") else written(thing)


# ---- yaml, config


def answer_yaml(given: Json) -> Json:
    text = given["text"]
    write_tree(SOA, {"svc/kubernetes-dev.yaml": text})
    forget()
    names = attempt(lambda: [name for _, name in utils.read_service_instance_names("svc", "kubernetes", "dev", SOA)])
    out: Dict[str, Any] = {}

    def value() -> Any:
        # As service_configuration_lib reads a file: universal line ends, libyaml.
        with open(os.path.join(SOA, "svc/kubernetes-dev.yaml"), encoding="UTF-8") as file:
            return service_configuration_lib.load_yaml(file.read())

    read = attempt(lambda: {"value": value()})
    if is_failure(read):
        out.update(read)
    else:
        out["value"] = written(read["value"], floats=True)
        kept = written(read["value"] or {}, floats=True)
        if json.dumps(kept) != json.dumps(out["value"]):
            out["read"] = kept
    out["instances"] = written(names) if isinstance(names, list) else names
    return out


def answer_config(given: Json) -> Json:
    write_tree(SYSTEM, given["files"])
    forget()
    config = attempt(utils.load_system_paasta_config)
    if isinstance(config, dict):
        return config
    return {
        "merged": written(config.config_dict),
        "getters": {name: written(attempt(getattr(config, f"get_{name}"))) for name in ASKED},
    }


# Getters that the case at hand asks for.
ASKED: List[str] = []


# ---- names


def with_clock(moment: str, body: Callable[[], str]) -> str:
    real = utils.format_timestamp
    at = datetime.datetime.strptime(moment, "%Y-%m-%dT%H:%M:%SZ")
    utils.format_timestamp = lambda dt=None: real(at)
    try:
        return body()
    finally:
        utils.format_timestamp = real


def config_of(settings: Json, kind: Any = None, **more: Any) -> Any:
    given = dict(service="web", cluster="dev", instance="main", config_dict=settings, branch_dict=None, soa_dir=SOA)
    return (kind or kt.KubernetesDeploymentConfig)(**{**given, **more})


def env_text(text: str) -> str:
    value = service_configuration_lib.load_yaml(f"value: {text}\n")["value"]
    with_env = utils.InstanceConfig("dev", "main", "web", {"env": {"K": value}}, {"docker_image": "", "git_sha": "", "image_version": None, "desired_state": "start", "force_bounce": None})
    return with_env.get_env_dictionary(SYSTEM_OF_NAMES)["K"]


SYSTEM_OF_NAMES = utils.SystemPaastaConfig({}, "")


def version_forms(sha: str, image_version: Optional[str]) -> Json:
    version = utils.DeploymentVersion(sha=sha, image_version=image_version)
    return {"text": str(version), "short": version.short_sha_repr(), "json": version.json()}


def secret_ref(text: str) -> Json:
    return {
        "is_ref": secret_tools.is_secret_ref(text),
        "shared": secret_tools.is_shared_secret(text),
        "name": secret_tools.get_secret_name_from_ref(text),
    }


def desired_states(refs: Mapping[str, str]) -> Json:
    found = generator.get_desired_state_by_branch_and_sha(refs)
    return sorted(([branch, sha, list(state)] for (branch, sha), state in found.items()), key=lambda e: f"{e[0]} {e[1]}")


NAMES: Dict[str, Callable[..., Any]] = {
    "sanitise_kubernetes_name": kt.sanitise_kubernetes_name,
    "sanitise_label_value": kt.sanitise_label_value,
    "limit_size_with_hash": kt.limit_size_with_hash,
    "volume_name": lambda name, limit: config_of({}).get_sanitised_volume_name(name, length_limit=limit),
    "app_name": kt.get_kubernetes_app_name,
    "paasta_secret_name": kt.get_paasta_secret_name,
    "paasta_secret_signature_name": kt.get_paasta_secret_signature_name,
    "ssm_secret_name": kt.get_ssm_secret_name,
    "service_account_name": kt.get_service_account_name,
    "registration_label": kt.registration_label,
    "paasta_prefixed": kt.paasta_prefixed,
    "node_label": kt.to_node_label,
    "mode_to_int": kt.mode_to_int,
    "is_deploy_step": utils.is_deploy_step,
    "deep_merge": lambda overrides, defaults: utils.deep_merge_dictionaries(overrides=overrides, defaults=defaults),
    "docker_image_name": generator.build_docker_image_name,
    "deployment_version": version_forms,
    "git_sha_from_image": lambda url, long: utils.get_git_sha_from_dockerurl(url, long=long),
    "image_version_from_image": utils.get_image_version_from_dockerurl,
    "deploy_tag": lambda group, state, version, moment: with_clock(
        moment, lambda: utils.format_tag(utils.get_paasta_tag_from_deploy_group(group, state, version))
    ),
    "control_tag": lambda cluster, instance, state, moment: with_clock(
        moment, lambda: utils.format_tag(utils.get_paasta_tag(cluster, instance, state))
    ),
    "parse_timestamp": utils.parse_timestamp,
    "secret_ref": secret_ref,
    "decompose_job_id": lambda job: list(utils.decompose_job_id(job)),
    "extract_tags": cli_utils.extract_tags,
    "desired_states": desired_states,
    "env_text": env_text,
}


def answer_names(given: Json) -> Json:
    return {"result": written(attempt(lambda: NAMES[given["fn"]](*copy.deepcopy(given["args"]))))}


# ---- bounce


def bounce_method(given: Json) -> Json:
    more = {} if given.get("margin_factor") is None else {"margin_factor": given["margin_factor"]}
    result = bounce_lib.get_bounce_method_func(given["bounce_method"])(
        new_config={"instances": given["instances"]},
        new_app_running=given["new_app_running"],
        happy_new_tasks=[f"h{i}" for i in range(given["happy_new"])],
        old_non_draining_tasks=given["old_non_draining"],
        **more,
    )
    drained = result["tasks_to_drain"]
    return {"create_app": result["create_app"], "tasks_to_drain": [t for t in given["old_non_draining"] if t in drained]}


def budget_of(config: Any, item: Any = None) -> Any:
    """The PodDisruptionBudget that PaaSTA would make; a wrapper needs the labels of an object only."""
    if item is None:
        labels = {"paasta.yelp.com/service": config.get_service(), "paasta.yelp.com/instance": config.get_instance()}
        item = k8s.V1Deployment(metadata=k8s.V1ObjectMeta(name="x", namespace="x", labels=labels), spec=SimpleNamespace(replicas=1))
    wrapper = wrappers.DeploymentWrapper(item)
    wrapper.soa_config = config
    cluster = Cluster()
    wrapper.ensure_pod_disruption_budget(cluster, config.get_namespace())
    return cluster.made["pdb"]


def bounce_strategy(given: Json) -> Json:
    set_world({"system": {"cluster": "dev", "docker_registry": "reg", "volumes": [], **given["system"]}})
    config = config_of(given["settings"])
    return {
        "strategy": attempt(lambda: plain(config.get_deployment_strategy_config())),
        "min_ready_seconds": written(attempt(config.get_min_task_uptime)),
        "bounce_margin_factor": written(attempt(config.get_bounce_margin_factor)),
        "pdb_max_unavailable": written(attempt(lambda: budget_of(config).spec.max_unavailable)),
    }


def deploy_status(given: Json) -> Json:
    status = {key: None for key in ("replicas", "ready_replicas", "updated_replicas")}
    app = SimpleNamespace(status=SimpleNamespace(**{**status, **given["status"]}))
    number, message = kt.get_kubernetes_app_deploy_status(app, given["desired_instances"])
    return {"status": kt.KubernetesDeployStatus.tostring(number), "message": message}


def answer_bounce(given: Json) -> Json:
    fn = given["fn"]
    if fn == "method":
        return attempt(lambda: bounce_method(given))
    if fn == "strategy":
        return bounce_strategy(given)
    if fn == "max_unavailable":
        return {"max_unavailable": kt.max_unavailable(given["instances"], given["margin_factor"])}
    if fn == "is_under_replicated":
        return {"result": list(utils.is_under_replicated(given["available"], given["expected"], given["crit_threshold_percent"]))}
    if fn == "deploy_status":
        return deploy_status(given)
    drain = drain_lib.HTTPDrainMethod("s", "i", [], {}, {}, {}, {})
    return {"result": attempt(lambda: drain.check_response_code(given["status_code"], given["success_codes"]))}


# ---- tags


def dereferenced(refs: Mapping[str, str]) -> Dict[str, str]:
    return {name: refs.get(f"{name}^{{}}", sha) for name, sha in refs.items() if not name.endswith("^{}")}


def latest_escaped(real: Callable[..., Any]) -> Callable[..., Any]:
    return lambda refs, group: real(refs, re.escape(str(group)))


def ascii_only(refs: Mapping[str, str]) -> Dict[str, str]:
    return {n: s for n, s in refs.items() if not (n.endswith(("-deploy", "-rollback")) and re.search(r"-(?=\d{8}T\d{6}-)(?![0-9]{8}T[0-9]{6}-)", n))}


def own_states(refs: Mapping[str, str]) -> Dict[str, str]:
    return {n: s for n, s in refs.items() if not (n.endswith(("-start", "-stop")) and not n.startswith("refs/tags/paasta-"))}


FIXES: Dict[str, Callable[[Dict[str, str]], Dict[str, str]]] = {
    "P3": own_states,
    "annotated": dereferenced,
    "unicode-digits": ascii_only,
}


def generated(service: str, refs: Dict[str, str], fixes: Tuple[str, ...] = ()) -> Json:
    forget()
    for fix in fixes:
        if fix in FIXES:
            refs = FIXES[fix](refs)
    remote_git.list_remote_refs = lambda _url: refs
    real = generator.get_latest_deployment_tag
    if "P2" in fixes:
        generator.get_latest_deployment_tag = latest_escaped(real)
    try:
        v1, v2 = generator.get_deploy_group_mappings(soa_dir=SOA, service=service)
        # Through JSON, as the file is written: a group that is null becomes the key "null".
        return json.loads(json.dumps(generator.get_deployments_dict_from_deploy_group_mappings(v1, v2)))
    finally:
        generator.get_latest_deployment_tag = real


def groups_of(service: str) -> List[Any]:
    """Deploy groups of the instances, as far as they can be loaded."""
    found: List[Any] = []
    forget()
    clusters: Any = attempt(lambda: list(utils.list_clusters(service, SOA)))
    for cluster in clusters if isinstance(clusters, list) else []:
        for kind in ("adhoc", "kubernetes", "eks", "tron"):
            with contextlib.suppress(Exception):
                for config in cli_utils.get_instance_configs_for_service(
                    service=service, soa_dir=SOA, type_filter=[kind], clusters=[cluster]
                ):
                    if kind == "tron" or config.get_deploy_group() is not None:
                        found.append(config.get_deploy_group())
    return found


def answer_tags(given: Json) -> Json:
    set_world(given)
    service = given["service"]
    refs = dict(given["refs"])
    out: Dict[str, Any] = {}
    asis = attempt(lambda: generated(service, refs))
    out.update(asis if is_failure(asis) else {"deployments": asis})
    every = ("P2", "P3", "annotated", "unicode-digits")
    fixed = attempt(lambda: generated(service, refs, every))
    if not is_failure(fixed) and json.dumps(fixed) != json.dumps(asis):
        by = [fix for fix in every if json.dumps(attempt(lambda: generated(service, refs, tuple(f for f in every if f != fix)))) != json.dumps(fixed)]
        out["fixed"] = {"deployments": fixed, "by": by}
    groups = given.get("latest_groups")
    if groups is None:
        groups = groups_of(service) + [q["deploy_group"] for q in given["rollback_queries"]]
    out["latest"] = {
        str(group): attempt(lambda: list(utils.get_latest_deployment_tag(refs, group))) for group in dict.fromkeys(groups)
    }
    out["rollback_tags"] = [
        attempt(lambda: [list(tag) for tag in utils.get_rollback_tags_for_sha(refs, q["deploy_group"], q["sha"])])
        for q in given["rollback_queries"]
    ]
    return out


# ---- validate

ROUND_TRIP = RoundTripConstructor.flatten_mapping

GRAPH = {
    "prod_ecosystem": {
        "norcal-prod_superregion": {"uswest1-prod_region": {"uswest1aprod_habitat": {}, "uswest1bprod_habitat": {}}},
        "nova-prod_superregion": {"useast1-prod_region": {"useast1aprod_habitat": {}}},
    },
    "dev_ecosystem": {"norcal-dev_superregion": {"uswest2-dev_region": {"uswest2adev_habitat": {}}}},
}


CHECKS: Dict[str, Callable[[str], bool]] = {
    "schemas": validate.validate_all_schemas,
    "tron": validate.validate_tron,
    "objects": validate.validate_paasta_objects,
    "unique-names": validate.validate_unique_instance_names,
    "autoscaling": validate.validate_autoscaling_configs,
    "secrets": validate.validate_secrets,
    "min-max": validate.validate_min_max_instances,
    "pool-limits": validate.validate_pool_limits,
    "cpu-burst": validate.validate_cpu_burst,
    "smartstack": validate.validate_smartstack,
    "monitoring-file": validate.check_monitoring_file_exists,
}


def unique(paths: Iterable[Json]) -> List[Json]:
    return [json.loads(text) for text in dict.fromkeys(json.dumps(path) for path in paths)]


def one_file(path: str, root: str, schema: str) -> Json:
    out: Dict[str, Any] = {"file": os.path.relpath(path, root), "schema": schema}
    with contextlib.redirect_stdout(io.StringIO()):
        out["ok"] = attempt(lambda: validate.validate_schema(path, schema))
    if out["ok"] is not True:
        document = attempt(lambda: {"is": validate.get_config_file_dict(path)})
        if is_failure(document):
            out.update(at=None, all_at=[], message=document["message"])
            out.pop("at")
            return out
        validator = validate.get_schema_validator(schema)
        try:
            errors = list(validator.iter_errors(document["is"]))
        except Exception as error:
            out.update(failure(error))
            return out
        if errors:
            best = schema_errors.best_match(iter(errors))
            out["message"] = best.message[:300]
            out["at"] = written(list(best.path))
            out["all_at"] = unique(written(list(e.path)) for e in errors)
    return out


def answer_validate(given: Json) -> Json:
    set_world(given)
    # PaaSTA patches this class when it looks for comments, and reads the rest of a run otherwise; each service is a run of its own.
    RoundTripConstructor.flatten_mapping = ROUND_TRIP
    service = given["service"]
    root = os.path.join(SOA, service)
    type_utils._read_data_json = lambda name: given["location_types"] if "types" in name else GRAPH
    validate._get_etc_services = lambda: given["etc_services"]
    validate.get_sensu_team_data = lambda team: {"team": team} if team in given["teams"] else {}
    from paasta_tools import monitoring_tools

    monitoring_tools._load_sensu_team_data = lambda: {"team_data": {team: {} for team in given["teams"]}}
    tron_tools.list_teams = lambda: set(given["teams"])

    def quiet(body: Callable[[], Any]) -> Any:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return attempt(body)

    precondition = quiet(lambda: validate.check_service_path(root) and validate.validate_service_name(service))
    out: Dict[str, Any] = {"ok": False, "precondition": bool(precondition is True), "checks": {}}
    if precondition is not True:
        return out
    for name, check in CHECKS.items():
        verdict = quiet(lambda: check(root))
        out["checks"][name] = verdict if is_failure(verdict) else {"ok": verdict}
    # As paasta_validate_soa_configs goes: every check in turn, and the first that raises ends the run.
    raised = [check for check in out["checks"].values() if is_failure(check)]
    out["ok"] = raised[0] if raised else all(check["ok"] for check in out["checks"].values())
    files = []
    for path in sorted(validate.glob(os.path.join(root, "**/*.yaml"), recursive=True)):
        inner = os.path.relpath(path, root)
        files.extend(one_file(path, root, schema) for schema in validate.SCHEMA_TYPES if inner.startswith(schema))
    out["files"] = files
    return out


# ---- instances

COMMON: Dict[str, Callable[..., Any]] = {
    "branch": lambda c, _: c.get_branch(),
    "deploy_group": lambda c, _: c.get_deploy_group(),
    "desired_state": lambda c, _: c.get_desired_state(),
    "force_bounce": lambda c, _: c.get_force_bounce(),
    "docker_image": lambda c, _: c.get_docker_image(),
    "docker_url": lambda c, w: c.get_docker_url(w.system),
    "image_version": lambda c, _: c.get_image_version(),
    "docker_registry": lambda c, w: c.get_docker_registry(w.system),
    "cpus": lambda c, _: c.get_cpus(),
    "mem": lambda c, _: c.get_mem(),
    "disk": lambda c, _: c.get_disk(),
    "gpus": lambda c, _: c.get_gpus(),
    "cpu_burst_add": lambda c, _: c.get_cpu_burst_add(),
    "cmd": lambda c, _: c.get_cmd(),
    "args": lambda c, _: c.get_args(),
    "env": lambda c, w: c.get_env(w.system),
    "docker_parameters": lambda c, w: [f"{p['key']}={p['value']}" for p in c.format_docker_parameters(True, w.system)],
    "pool": lambda c, _: c.get_pool(),
    "namespace": lambda c, _: c.get_namespace(),
    "net": lambda c, _: c.get_net(),
    "constraints": lambda c, _: c.get_constraints(),
    "extra_constraints": lambda c, _: c.get_extra_constraints(),
    "deploy_blacklist": lambda c, _: c.get_deploy_blacklist(),
    "deploy_whitelist": lambda c, _: c.get_deploy_whitelist(),
    "volumes": lambda c, w: c.get_volumes(w.system.get_volumes()),
    "extra_volumes": lambda c, _: c.get_extra_volumes(),
    "secret_volumes": lambda c, _: c.get_secret_volumes(),
    "persistent_volumes": lambda c, _: c.get_persistent_volumes(),
    "aws_ebs_volumes": lambda c, _: c.get_aws_ebs_volumes(),
    "projected_sa_volumes": lambda c, _: c.get_projected_sa_volumes(),
    "monitoring": lambda c, _: c.get_monitoring(),
    "team": lambda c, _: c.get_team(),
    "runbook": lambda c, _: c.get_runbook(),
    "iam_role": lambda c, _: c.get_iam_role(),
    "iam_role_provider": lambda c, _: c.get_iam_role_provider(),
    "cost_owner": lambda c, _: c.get_cost_owner(),
    "dependencies": lambda c, _: c.get_dependencies(),
    "extra_docker_args": lambda c, _: c.get_extra_docker_args(),
}

LONG_RUNNING: Dict[str, Callable[..., Any]] = {
    "container_port": lambda c, _: c.get_container_port(),
    "drain_method": lambda c, w: c.get_drain_method(w.mesh()),
    "drain_method_params": lambda c, w: c.get_drain_method_params(w.mesh()),
    "registrations": lambda c, _: c.get_registrations(),
    "invalid_registrations": lambda c, _: c.get_invalid_registrations(),
    "nerve_namespace": lambda c, _: c.get_nerve_namespace(),
    "healthcheck_mode": lambda c, w: c.get_healthcheck_mode(w.mesh()),
    "healthcheck_uri": lambda c, w: c.get_healthcheck_uri(w.mesh()),
    "healthcheck_cmd": lambda c, _: c.get_healthcheck_cmd(),
    "healthcheck_grace_period_seconds": lambda c, _: c.get_healthcheck_grace_period_seconds(),
    "healthcheck_interval_seconds": lambda c, _: c.get_healthcheck_interval_seconds(),
    "healthcheck_timeout_seconds": lambda c, _: c.get_healthcheck_timeout_seconds(),
    "healthcheck_max_consecutive_failures": lambda c, _: c.get_healthcheck_max_consecutive_failures(),
    "min_instances": lambda c, _: c.get_min_instances(),
    "max_instances": lambda c, _: c.get_max_instances(),
    "autoscaling_enabled": lambda c, _: c.is_autoscaling_enabled(),
    "autoscaling_params": lambda c, _: c.get_autoscaling_params(),
    "replication_threshold": lambda c, _: c.get_replication_crit_percentage(),
    "bounce_margin_factor": lambda c, _: c.get_bounce_margin_factor(),
    "bounce_overprovision_factor": lambda c, _: c.get_bounce_overprovision_factor(),
    "bounce_start_deadline": lambda c, _: c.get_bounce_start_deadline(),
    "fs_group": lambda c, _: c.get_fs_group(),
    "fs_group_change_policy": lambda c, _: c.get_fs_group_change_policy(),
    "weight": lambda c, _: c.get_weight(),
    "unhealthy_pod_eviction_policy": lambda c, _: c.get_unhealthy_pod_eviction_policy(),
    "should_ping_for_unhealthy_pods": lambda c, _: c.get_should_ping_for_unhealthy_pods(None),
}

KUBERNETES: Dict[str, Callable[..., Any]] = {
    "instances": lambda c, _: c.get_instances(),
    "desired_instances": lambda c, _: c.get_desired_instances(),
    "bounce_method": lambda c, _: c.get_bounce_method(),
    "min_task_uptime": lambda c, _: c.get_min_task_uptime(),
    "deployment_strategy": lambda c, _: c.get_deployment_strategy_config(),
    "app_name": lambda c, _: c.get_sanitised_deployment_name(),
    "security_context": lambda c, _: c.get_security_context(),
    "lifecycle": lambda c, _: c.get_lifecycle_dict(),
    "pre_stop": lambda c, w: c.get_kubernetes_container_termination_action(w.mesh()),
    "pre_stop_drain_seconds": lambda c, w: c.get_prestop_sleep_seconds(w.mesh().is_in_smartstack()),
    "termination_grace_period_seconds": lambda c, w: c.get_termination_grace_period(w.mesh()),
    "liveness_probe": lambda c, w: c.get_liveness_probe(w.mesh()),
    "readiness_probe": lambda c, w: c.get_readiness_probe(w.mesh()),
    "node_selector": lambda c, _: c.get_node_selector(),
    "node_affinity": lambda c, w: c.get_node_affinity(w.system.get_pool_node_affinities()),
    "pod_anti_affinity": lambda c, _: c.get_pod_anti_affinity(),
    "topology_spread_constraints": lambda c, w: c.get_topology_spread_constraints(w.system.get_topology_spread_constraints()),
    "resources": lambda c, _: c.get_resource_requirements(),
    "sidecar_resources": lambda c, w: c.get_sidecar_resource_requirements("hacheck", w.system),
    "service_account_name": lambda c, _: c.get_kubernetes_service_account_name(),
    "routable_ip": lambda c, w: c.has_routable_ip(w.mesh(), w.system),
    "prometheus_shard": lambda c, _: c.get_prometheus_shard(),
    "prometheus_path": lambda c, _: c.get_prometheus_path(),
    "prometheus_port": lambda c, _: c.get_prometheus_port(),
    "pod_management_policy": lambda c, _: c.get_pod_management_policy(),
    "secret_env": lambda c, _: list(c.get_env_vars_that_use_secrets()),
    "crypto_keys": lambda c, _: c.get_crypto_keys_from_config(),
    "istio": lambda c, _: c.is_istio_sidecar_injection_enabled(),
    "aws_lb_readiness_gate": lambda c, _: c.should_enable_aws_lb_readiness_gate(),
    "proxy_port": lambda c, _: lrs.get_proxy_port_for_instance(c),
}

TRON: Dict[str, Callable[..., Any]] = {
    "job": lambda c, _: c.get_job_name(),
    "action": lambda c, _: c.get_action_name(),
    "executor": lambda c, _: c.get_executor(),
    "requires": lambda c, _: c.get_requires(),
    "retries": lambda c, _: c.get_retries(),
    "retries_delay": lambda c, _: c.get_retries_delay(),
    "expected_runtime": lambda c, _: c.get_expected_runtime(),
    "node_selectors": lambda c, _: c.get_node_selectors(),
    "node_affinities": lambda c, _: c.get_node_affinities(),
    "secret_env": lambda c, _: c.get_secret_env(),
    "ssm_secret_env": lambda c, _: c.get_ssm_secret_env(),
    "idempotent": lambda c, _: c.get_idempotent(),
    "trigger_downstreams": lambda c, _: c.get_trigger_downstreams(),
    "service_account_name": lambda c, _: c.get_service_account_name(),
    "tron_action": lambda c, _: tron_tools.format_tron_action_dict(c),
}

SETTINGS = {
    "kubernetes": {**COMMON, **LONG_RUNNING, **KUBERNETES},
    "eks": {**COMMON, **LONG_RUNNING, **KUBERNETES},
    "adhoc": {**COMMON, **LONG_RUNNING},
    "tron": {**COMMON, **TRON},
}

LOADERS = {
    "kubernetes": kt.load_kubernetes_service_config_no_cache,
    "eks": eks_tools.load_eks_service_config_no_cache,
    "adhoc": adhoc_tools.load_adhoc_job_config,
    "tron": tron_tools.load_tron_instance_config,
}


def load(kind: str, service: str, instance: str, cluster: str, deployments: bool = True) -> Any:
    forget()
    return LOADERS[kind](service=service, instance=instance, cluster=cluster, load_deployments=deployments, soa_dir=SOA)


def mesh_of(config: Any) -> Any:
    return lrs.load_service_namespace_config(service=config.get_service(), namespace=config.get_nerve_namespace(), soa_dir=SOA)


def answer_mesh(config: Any) -> Json:
    def body() -> Json:
        mesh = mesh_of(config)
        return {
            "values": written(dict(mesh)),
            "in_mesh": written(attempt(mesh.is_in_smartstack)),
            "mode": written(attempt(mesh.get_mode)),
            "healthcheck_mode": written(attempt(mesh.get_healthcheck_mode)),
            "healthcheck_uri": written(attempt(mesh.get_healthcheck_uri)),
            "discover": written(attempt(mesh.get_discover)),
            "timeout_server_ms": written(attempt(mesh.get_timeout_server_ms)),
            "longest_timeout_ms": written(attempt(mesh.get_longest_timeout_ms)),
        }

    return attempt(body)


def one_instance(service: str, kind: str, cluster: str, instance: str) -> Json:
    out: Dict[str, Any] = {"load": "ok"}
    try:
        config = load(kind, service, instance, cluster)
    except utils.NoDeploymentsAvailable as error:
        out["load"] = failure(error)
        try:
            config = load(kind, service, instance, cluster, deployments=False)
        except Exception as second:
            return {"load": failure(second)}
    except (Exception, RecursionError) as error:
        return {"load": failure(error)}
    world = SimpleNamespace(system=utils.load_system_paasta_config(), mesh=lambda: mesh_of(config))
    if kind != "tron":
        out["mesh"] = answer_mesh(config)
    out["settings"] = {}
    for name, getter in SETTINGS[kind].items():
        # Getters of PaaSTA's change the configuration that they read.
        mine = copy.deepcopy(config)
        with contextlib.redirect_stdout(io.StringIO()):
            out["settings"][name] = attempt(lambda: plain(getter(mine, world)))
    return out


def answer_instances(given: Json) -> Json:
    set_world(given)
    service = given["service"]
    names: Dict[str, Any] = {}
    for cluster in given["clusters"]:
        for kind in ("adhoc", "kubernetes", "eks", "tron"):
            found = attempt(lambda: [name for _, name in utils.read_service_instance_names(service, kind, cluster, SOA)])
            if found:
                names[f"{kind}-{cluster}"] = written(found)
    forget()
    out = {
        "service": {
            "clusters": written(attempt(lambda: utils.list_clusters(service, SOA))),
            "pipeline_deploy_groups": written(attempt(lambda: utils.get_pipeline_deploy_groups(service, SOA))),
            "production_deploy_group": written(attempt(lambda: utils.get_production_deploy_group(service, SOA))),
            "git_url": written(attempt(lambda: utils.get_git_url(service, SOA))),
        },
        "instance_names": names,
        "instances": {f"{k}:{c}:{n}": one_instance(service, k, c, n) for k, c, n in given["instances"]},
    }
    return out


# ---- objects, hash

SHA_LABELS = ("yelp.com/paasta_config_sha", "paasta.yelp.com/config_sha")


# Labels of the case at hand that rules read.
NOTES: List[str] = []


def truncated(value: Any) -> bool:
    """True where PaaSTA's int(value * 100) of the binary fraction is less than that of the decimal one."""
    return math.floor(round(value * 1e8) / 1e6) != int(value * 100)


def note(config: Any, hpa: Any) -> None:
    if attempt(lambda: mesh_of(config).is_in_smartstack()) is True:
        NOTES.append("mesh")
    with contextlib.suppress(Exception):
        if "bounce_margin_factor" in config.config_dict and truncated(1 - config.get_bounce_margin_factor()):
            NOTES.append("R13-truncated-percentage")
    with contextlib.suppress(Exception):
        providers = config.get_autoscaling_params()["metrics_providers"]
        if hpa and any(p["type"] in ("cpu", "memory") and truncated(p["setpoint"]) for p in providers):
            NOTES.append("N3-truncated-utilization")


def without_sha(thing: Any) -> Any:
    if isinstance(thing, dict):
        return {k: "CONFIG_SHA" if k in SHA_LABELS else without_sha(v) for k, v in thing.items()}
    return [without_sha(v) for v in thing] if isinstance(thing, list) else thing


def answer_objects(given: Json) -> Json:
    set_world(given)

    def app_of() -> Any:
        config = load(given["type"], given["service"], given["instance"], given["cluster"])
        return config, config.format_kubernetes_app()

    made = attempt(app_of)
    if isinstance(made, dict):
        return {"app": made}
    config, app = made
    wanted = plain(app)
    out: Dict[str, Any] = {"app": without_sha(wanted), "config_sha": wanted["metadata"]["labels"]["paasta.yelp.com/config_sha"]}
    cluster = Cluster()
    if wanted["kind"] == "Deployment":
        wrapper = wrappers.DeploymentWrapper(app, hpa_override=given.get("hpa_override"))
        wrapper.soa_config = config
        failed = attempt(lambda: wrapper.sync_horizontal_pod_autoscaler(cluster))
        out["hpa"] = failed if is_failure(failed) else plain(cluster.made.get("hpa"))
    else:
        wrapper = wrappers.StatefulSetWrapper(app)
        wrapper.soa_config = config
        out["hpa"] = None
    note(config, out["hpa"])
    out["pdb"] = attempt(lambda: plain(budget_of(config, app)))
    if config.get_iam_role():
        failed = attempt(lambda: wrapper.ensure_service_account(cluster))
        out["service_account"] = failed if is_failure(failed) else plain(cluster.made["service_account"])
    if given.get("job") is not None:
        out["job"] = without_sha(attempt(lambda: plain(config.format_kubernetes_job(**given["job"]))))
    return out


def answer_hash(given: Json) -> Json:
    def side(name: str) -> Any:
        set_world(given[name])
        return attempt(
            lambda: plain(load(given["type"], given["service"], given["instance"], given["cluster"]).format_kubernetes_app())
        )

    a, b = side("a"), side("b")
    if is_failure(a) or is_failure(b):
        return {"a": a if is_failure(a) else "ok", "b": b if is_failure(b) else "ok"}
    sha = [thing["metadata"]["labels"]["paasta.yelp.com/config_sha"] for thing in (a, b)]
    a, b = without_sha(a), without_sha(b)
    return {
        "hash_differs": sha[0] != sha[1],
        "pod_template_differs": a["spec"]["template"] != b["spec"]["template"],
        "object_differs": a != b,
    }


ANSWERS: Dict[str, Callable[[Json], Json]] = {
    "yaml": answer_yaml,
    "config": answer_config,
    "names": answer_names,
    "bounce": answer_bounce,
    "tags": answer_tags,
    "validate": answer_validate,
    "instances": answer_instances,
    "objects": answer_objects,
    "hash": answer_hash,
}


def main() -> None:
    find_caches()
    os.makedirs(SOA, exist_ok=True)
    os.makedirs(SYSTEM, exist_ok=True)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # What PaaSTA prints must not come between the answers.
    os.dup2(2, 1)
    try:
        for line in sys.stdin:
            case = json.loads(line)
            ASKED[:] = case.get("getters") or []
            NOTES.clear()
            with contextlib.redirect_stderr(io.StringIO()):
                expected = ANSWERS[case["kind"]](copy.deepcopy(case["input"]))
            answer = {"id": case["id"], "kind": case["kind"], "input": case["input"], "expected": expected, "notes": NOTES}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()
    finally:
        shutil.rmtree(ROOT, ignore_errors=True)


main()
