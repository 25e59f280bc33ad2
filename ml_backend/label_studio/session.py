"""An authenticated connection to Label Studio, and what its refusals mean to the person who runs the backend."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
from label_studio_sdk.client import LabelStudio as Sdk
from label_studio_sdk.core.api_error import ApiError

from ml_backend.errors import (
    BackendError,
    LabelStudioError,
    LabelStudioUnreachableError,
    NotFoundError,
    TokenRefusedError,
)
from model.errors import say

Result = TypeVar("Result")

#: For calls that change nothing: two more tries, about one and two seconds later.
READ: Mapping[str, Any] = {"max_retries": 2}

CREDENTIAL_HINT = say(
    "Set LABEL_STUDIO_API_KEY to a personal access token (in Label Studio: Account & Settings). A legacy token works "
    "only where an owner has switched legacy tokens on (Organization, API Tokens Settings)."
)
ADDRESS_HINT = say("Start it, or set LABEL_STUDIO_URL to the address under which this machine reaches it.")
PRIVATE_ADDRESS_HINT = say("Start Label Studio with ML_BLOCK_LOCAL_IP=false and SSRF_PROTECTION_ENABLED=false.")


#: What the SDK and :mod:`ml_backend.label_studio.records` raise on an answer that is not what Label Studio sends: they
#: take its shape for granted. ``ValueError`` has JSON, UTF-8 and pydantic below it.
_MISUNDERSTOOD = (ValueError, TypeError, LookupError, AttributeError, RecursionError, httpx.DecodingError)


class Session:
    """The SDK's client with timeouts, without blind retries, and with errors that name the remedy.

    It may be shared between threads. Nothing is sent before the first call.

    Args:
        url: Address of Label Studio, with its path prefix if it has one.
        api_key: Personal access token, or legacy token where those are allowed. The SDK tells them apart.
        timeout: Seconds for connecting, and for each wait for data.

    Raises:
        TokenRefusedError: If the token is a personal access token that has expired.
    """

    def __init__(self, url: str, api_key: str, *, timeout: float = 30.0) -> None:
        # The final slash matters: without it the SDK loses the path prefix when it exchanges the token.
        self.url = url.rstrip("/") + "/"
        # The SDK would follow redirects and repeat writes; a write must not happen twice.
        self._http = httpx.Client(timeout=timeout, follow_redirects=False)
        with self.explained(say("accept the token")):
            self.sdk: Any = Sdk(base_url=self.url, api_key=api_key, httpx_client=self._http, max_retries=0)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def reach(self, seconds: float) -> None:
        """Ask for what needs no token, and wait no longer than some seconds for it.

        Raises:
            LabelStudioUnreachableError: If there is no answer; which answer does not matter.
        """
        with self.explained("answer"):
            self._http.get(f"{self.url}api/version/", timeout=seconds)

    def headers(self) -> dict[str, str]:
        """Return the headers that authenticate a request, with a fresh access token where one is needed.

        Raises:
            BackendError: If the token cannot be exchanged.
        """
        with self.explained(say("exchange the token")):
            # The SDK has no public name for this, and its own extensions use it like that.
            return dict(self.sdk._client_wrapper.get_headers())

    def forget_access_token(self) -> None:
        """Exchange the token again at the next call: the last one expired by Label Studio's clock, not by ours."""
        self.sdk._client_wrapper._tokens_client._access_token = None

    def read(self, action: str, call: Callable[[], Result]) -> Result:
        """Run a call that changes nothing, and once more with a new access token if the first was refused.

        Raises:
            BackendError: If Label Studio does not answer or refuses.
        """
        try:
            with self.explained(action):
                return call()
        except TokenRefusedError:
            self.forget_access_token()
            with self.explained(action):
                return call()

    def request(self, method: str, path: str, **arguments: Any) -> Any:
        """Send a request that the SDK has no method for, and return the JSON of the answer.

        Raises:
            ApiError: If the answer is not a success, or not JSON; for :meth:`explained` to explain.
        """
        response = self.sdk._client_wrapper.httpx_client.request(path, method=method, **arguments)
        try:
            body = response.json() if response.content else None
        except (ValueError, RecursionError):
            # Also numbers of more digits, and nesting deeper, than can be read.
            body = response.text
            raise ApiError(status_code=response.status_code, headers=dict(response.headers), body=body) from None
        if not 200 <= response.status_code < 300:
            raise ApiError(status_code=response.status_code, headers=dict(response.headers), body=body)
        return body

    @contextmanager
    def explained(self, action: str, *, reveal: bool = True) -> Iterator[None]:
        """Turn what the SDK raises, and what fails on an answer of another shape, into this project's errors.

        Args:
            action: What was asked for, to follow "Label Studio did not".
            reveal: Whether to repeat Label Studio's own words. Not where they may quote a document.

        Raises:
            BackendError: If Label Studio does not answer or refuses.
        """
        try:
            yield
        except (httpx.TransportError, httpx.InvalidURL, httpx.TooManyRedirects) as error:
            where = urlsplit(self.url).netloc.rpartition("@")[2] or "its address"
            late = say("Label Studio at {where} took too long.", where=where)
            silent = say("Label Studio at {where} does not answer.", where=where)
            said = late if isinstance(error, httpx.TimeoutException) else silent
            raise LabelStudioUnreachableError(said, ADDRESS_HINT) from error
        except ApiError as error:
            raise explain(error, action, reveal=reveal) from error
        except _MISUNDERSTOOD as error:
            raise LabelStudioError(
                say("Label Studio did not {action}: its answer is not what it sends.", action=action), ADDRESS_HINT
            ) from error


def explain(error: ApiError, action: str, *, reveal: bool = True) -> BackendError:
    """Return the error that tells a person what Label Studio's refusal means."""
    status = error.status_code or 0
    said = _said(error.body)
    if "reserved network address" in said:
        return LabelStudioError(
            say("Label Studio did not {action}: it refuses addresses of private networks.", action=action),
            PRIVATE_ADDRESS_HINT,
        )
    message = say("Label Studio did not {action} (status {status}).", action=action, status=status)
    if said and reveal:
        message = say(
            "Label Studio did not {action} (status {status}): {said}.", action=action, status=status, said=said
        )
    if status == 401:
        return TokenRefusedError(
            say("Label Studio did not {action}: it refuses the token.", action=action), CREDENTIAL_HINT
        )
    if status == 403:
        return TokenRefusedError(message, say("The token's user needs the right to do this."))
    if status == 404:
        # A page instead of JSON means that this is not Label Studio's API at all.
        return NotFoundError(message, "" if isinstance(error.body, Mapping) else ADDRESS_HINT)
    if 300 <= status < 400:
        return LabelStudioError(message, say("It redirects elsewhere: set LABEL_STUDIO_URL to its final address."))
    if status < 300:
        return LabelStudioError(
            say("Label Studio did not {action}: its answer is not JSON.", action=action), ADDRESS_HINT
        )
    return LabelStudioError(message)


def _said(body: object) -> str:
    """Return what Label Studio said about the cause, in at most 300 characters."""
    if not isinstance(body, Mapping):
        return ""
    parts = [body.get("detail"), body.get("error"), body.get("validation_errors")]
    text = "; ".join(part if isinstance(part, str) else json.dumps(part) for part in parts if part)
    return re.sub(r"(\s|<[^>]*>)+", " ", text).rstrip(". ")[:300]
