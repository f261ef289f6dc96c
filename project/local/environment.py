"""The variables of every process of a desk. Nothing else tells one environment from another."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from apps.backups.server_home import usable_programs
from project.env import Environment
from project.local.folder import MARK, DataFolder
from project.local.options import Options

# The recorded world has no quota of its own; at speed the desk asks more often than the vendors would allow.
WORLD_RATES_PER_MINUTE = {"polymarket_gamma": 300, "polymarket_clob": 600, "yahoo": 600}
WORLD_SCREEN = "^GSPC,^IXIC,CL=F,^VIX"  # the instruments that the world plays
WORLD_PATHS = {"polymarket_gamma": "gamma", "polymarket_clob": "clob", "yahoo": "yahoo"}
METRICS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
LOCAL_HOSTS = "127.0.0.1,localhost"


def given(name: str) -> str:
    """Return what the operator set for `name` (or put into the file `NAME_FILE`), or nothing."""
    return Environment(os.environ).text(name, "", "")


def desk_environment(
    options: Options, folder: DataFolder, *, database_url: str, redis_url: str, world_port: int | None
) -> dict[str, str]:
    """Return the variables that all processes share, on top of the operator's own."""
    secrets = folder.secrets()
    hosts = given("ALLOWED_HOSTS")
    ours = {
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "PYTHONUNBUFFERED": "1",
        "ENVIRONMENT": given("ENVIRONMENT") or "local",
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "SECRET_KEY": given("SECRET_KEY") or secrets["secret_key"],
        "OPS_TOKEN": given("OPS_TOKEN") or secrets["ops_token"],
        "ALLOWED_HOSTS": f"{hosts},{LOCAL_HOSTS}" if hosts else LOCAL_HOSTS,
        "BACKUP_DIR": given("BACKUP_DIR") or str(folder.private("backups")),
        "PG_BIN_DIR": given("PG_BIN_DIR") or str(usable_programs()),
        "SCHEDULE_SPEED": "1" if options.is_live else f"{options.speed:g}",
        MARK: str(folder.path),
    }
    if world_port is not None:
        ours |= _world_variables(world_port)
    return dict(os.environ) | ours


def service_environment(shared: Mapping[str, str], folder: DataFolder, name: str) -> dict[str, str]:
    """Return the variables of one process: what kind it is and where its metrics go."""
    return {**single_environment(shared, name), METRICS_VARIABLE: str(metrics_folder(folder, name))}


def single_environment(shared: Mapping[str, str], name: str) -> dict[str, str]:
    """Return the variables of a process whose metrics nobody reads: a command, which is soon over, or the world."""
    without_metrics = {variable: value for variable, value in shared.items() if variable != METRICS_VARIABLE}
    return {**without_metrics, "PROCESS_TYPE": name}


def metrics_folder(folder: DataFolder, name: str) -> Path:
    """Return the folder in which one service keeps its metrics."""
    return folder.path / "metrics" / name


def wipe_metrics(folder: DataFolder, name: str) -> Callable[[], None]:
    """Return what empties a service's metrics: figures of dead processes must not be counted again."""

    def wipe() -> None:
        target = metrics_folder(folder, name)
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)

    return wipe


def _world_variables(port: int) -> dict[str, str]:
    addresses = {f"{slug.upper()}_BASE_URL": f"http://127.0.0.1:{port}/{path}" for slug, path in WORLD_PATHS.items()}
    rates = {f"{slug.upper()}_RATE_PER_MINUTE": str(rate) for slug, rate in WORLD_RATES_PER_MINUTE.items()}
    # What the world does not play would be called on the real internet: it stays off.
    return addresses | rates | {"SOURCES_ON": ",".join(WORLD_PATHS), "SCREEN_STOCKS": WORLD_SCREEN}
