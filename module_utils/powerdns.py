# Copyright (c) 2026 Hestia Fleet contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""PowerDNS's HTTP API (Authoritative Server 4.7), with every failure in words and told apart."""

from __future__ import annotations

import http.client
import json
import re
import ssl
from typing import Any, Callable, Optional
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit

from ansible.module_utils import hestia_check as check
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.hestia_panel import PanelError
from ansible.module_utils.urls import Request, make_context

_LONGEST_ANSWER = 64 * 1024 * 1024


ACCESS: dict[str, dict[str, Any]] = {
    "api_url": {"type": "str", "required": True},
    "api_key": {"type": "str", "required": True, "no_log": True},
    "server_id": {"type": "str", "default": "localhost"},
    "timeout": {"type": "int", "default": 30},
}
"""The argument spec of module powerdns_info, and a part of every other's."""


class ApiError(PanelError):
    """A call that failed; ``status`` is the HTTP status, 0 when there was no answer."""

    def __init__(self, message: str, *, error_class: str, status: int = 0) -> None:
        super().__init__(message, error_class=error_class)
        self.status = status


class Api:
    """One server of a PowerDNS installation."""

    def __init__(self, params: dict[str, Any]) -> None:
        self.url = _base_url("api_url", params["api_url"])
        self._key = check.text("api_key", params["api_key"])
        if not self._key.isascii():
            raise check.bad("api_key", "must be plain ASCII")
        self.server_id = check.text("server_id", params["server_id"])
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", self.server_id):
            raise check.bad("server_id", f"{self.server_id!r} is not the name of a server of PowerDNS")
        self.timeout = check.number("timeout", params["timeout"], 1, 600)
        # Redirects and proxies would carry the key to somebody else. The system's certificates take longer to read than
        # a call takes: once is enough.
        self._requests = Request(
            context=make_context(),
            timeout=self.timeout,
            use_proxy=False,
            follow_redirects="none",
            http_agent="hestia-fleet",
            use_netrc=False,
        )
        self.actions: list[str] = []
        """What was changed, in words."""

    def get(self, path: str = "") -> Any:
        return self.call("GET", path)

    def find(self, path: str) -> Any:
        """What is there, None when nothing is."""
        try:
            return self.call("GET", path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def call(self, method: str, path: str = "", body: Any = None) -> Any:
        """The answer to a call below ``/api/v1/servers/ID``, None when it is empty. Raises ApiError."""
        url = f"{self.url}/api/v1/servers/{quote(self.server_id)}{path}"
        headers = {"X-API-Key": self._key, "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        data = None if body is None else json.dumps(body)
        try:
            with self._requests.open(method, url, data=data, headers=headers) as answer:
                return self._read(answer.read(_LONGEST_ANSWER))
        except HTTPError as error:
            with error:
                raise self._refusal(error.code, error.read(65536)) from None
        except (OSError, http.client.HTTPException) as error:
            raise self._no_answer(error) from None

    def _read(self, said: bytes) -> Any:
        if not said.strip():
            return None
        try:
            return json.loads(said)
        except ValueError:
            raise ApiError(f"what answers at {self.url} is not PowerDNS's API", error_class="not_found") from None

    def _no_answer(self, error: Exception) -> ApiError:
        reason = error.reason if isinstance(error, URLError) else error
        if isinstance(reason, ssl.SSLCertVerificationError):
            words = f"the certificate of {self.url} is not trusted: {reason.verify_message}"
            return ApiError(words, error_class="authentication")
        if isinstance(reason, TimeoutError):
            return ApiError(f"PowerDNS at {self.url} did not answer in time", error_class="unreachable")
        words = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        return ApiError(f"PowerDNS at {self.url} does not answer: {words}", error_class="unreachable")

    def _refusal(self, status: int, said: bytes) -> ApiError:
        words = _words(said)
        if status in (401, 403):
            return ApiError(f"PowerDNS at {self.url} refused the API key", error_class="authentication", status=status)
        if status in (400, 422):
            return ApiError(f"PowerDNS refuses: {words}", error_class="bad_argument", status=status)
        if status == 429 or status >= 500:
            return ApiError(f"PowerDNS could not do it now: {words}", error_class="busy", status=status)
        if status == 404:
            words = f"PowerDNS at {self.url} knows no server {self.server_id!r}, or there is no API"
            return ApiError(words, error_class="not_found", status=status)
        return ApiError(f"PowerDNS answered with status {status}: {words}", error_class="refused", status=status)


def _base_url(parameter: str, given: str) -> str:
    """``http(s)://host:port``, possibly with a path before the API's own."""
    text = check.text(parameter, given).strip()
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or "@" in parts.netloc or parts.query or parts.fragment or not re.fullmatch(r"[!-~]+", text):
        raise check.bad(parameter, "must be like http://ns1.example.net:8081")
    return re.sub(r"/+(api/?(v1/?)?)?$", "", text)


def _words(said: bytes) -> str:
    """PowerDNS's own words for what it does not want."""
    text = said.decode("utf-8", "replace").strip()
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if isinstance(answer, dict):
        text = "; ".join([str(answer.get("error", "")), *map(str, answer.get("errors") or [])]).strip("; ")
    return " ".join(text.split())[:1000] or "no reason given"


def run_api_module(
    work: Callable[[Api, AnsibleModule], dict[str, Any]],
    options: dict[str, Any],
    rules: Optional[dict[str, Any]] = None,
) -> None:
    """The main() of every module that speaks to PowerDNS; ``rules`` say which options go together."""
    module = AnsibleModule(argument_spec=options, supports_check_mode=True, **(rules or {}))
    api: Optional[Api] = None
    try:
        api = Api(module.params)
        result = work(api, module)
    except PanelError as error:
        actions = api.actions if api else []
        module.fail_json(msg=error.message, error_class=error.error_class, actions=actions, repaired=[])
    module.exit_json(**result)
