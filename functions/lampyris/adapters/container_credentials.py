"""Credentials where Lambda hands them out by HTTP: under SnapStart none may be frozen into the snapshot.

Source: https://docs.aws.amazon.com/lambda/latest/dg/snapstart-activate.html and
https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
"""

import http.client
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from lampyris.errors import StoreUnavailable

if TYPE_CHECKING:  # obstore offers this name to type checkers only
    from obstore.store import S3Credential

_TIMEOUT_S = 2.0


class _Credentials(msgspec.Struct, frozen=True, rename="pascal"):
    access_key_id: str
    secret_access_key: str
    token: str
    expiration: datetime


class ContainerCredentials:
    """Asks for credentials whenever the store finds that those it has are about to run out."""

    def __init__(self, url: str, token: str) -> None:
        self._url = urlsplit(url)
        self._token = token

    def __call__(self) -> "S3Credential":
        """Fetch credentials. Raises: StoreUnavailable."""
        try:
            found = self._fetch()
        except (OSError, http.client.HTTPException, msgspec.DecodeError) as error:
            raise StoreUnavailable(operation="credentials", cause=type(error).__name__) from None
        return {
            "access_key_id": found.access_key_id,
            "secret_access_key": found.secret_access_key,
            "token": found.token,
            "expires_at": found.expiration,
        }

    def _fetch(self) -> _Credentials:
        connection = http.client.HTTPConnection(self._url.netloc, timeout=_TIMEOUT_S)
        try:
            connection.request("GET", self._url.path, headers={"Authorization": self._token})
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != http.HTTPStatus.OK:
                raise StoreUnavailable(operation="credentials", cause=f"status {answer.status}")
        finally:
            connection.close()
        return msgspec.json.decode(body, type=_Credentials)
