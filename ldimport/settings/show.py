"""Settings as rows for a person, without secrets."""

from __future__ import annotations

import json

from ldimport.credentials import MASK
from ldimport.settings import Row, Settings
from ldimport.url import without_secrets


def rows(settings: Settings) -> list[Row]:
    """Every setting in the order of the config file, then the token."""
    shown = {
        "profile": settings.profile,
        "target": settings.target,
        "apiVersion": settings.api_version,
        "systemName": settings.system_name,
        "projectConfig": settings.project_config,
        "state": settings.state,
        "engine": settings.engine,
        "allowHosts": ", ".join(settings.allow_hosts),
        "baseUrl": settings.base_url and without_secrets(settings.base_url),
        "webhook": settings.webhook and without_secrets(settings.webhook),
        "context": _json(settings.context),
        "manifest": _json(settings.manifest or None),
        "insecure": "true" if settings.insecure else "",
        "token": MASK if settings.token is not None else None,
    }
    return [
        Row(key, "" if value is None else str(value), settings.sources.get(key, ""))
        for key, value in shown.items()
    ]


def _json(value: object) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False)
