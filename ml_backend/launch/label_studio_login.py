"""A personal access token for the Label Studio that was started here.

Legacy tokens are off in a new installation, and the first personal access token can be made in a browser session only:
so this logs in as a browser does. A user gets one token at a time, and it is shown only once: if it was made but never
written down (the launch was killed in between), another one is made through Label Studio's own code.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import requests

from ml_backend.errors import LaunchError

_TIMEOUT_SECONDS = 30.0


def make_access_token(url: str, *, email: str, password: str) -> str | None:
    """Log in at ``url`` and return a new personal access token, or ``None`` if the user has one already.

    Raises:
        LaunchError: If the login is refused or Label Studio answers with something else.
    """
    with requests.Session() as browser:
        try:
            browser.get(f"{url}/user/login/", timeout=_TIMEOUT_SECONDS)
            headers = {"X-CSRFToken": browser.cookies.get("csrftoken") or "", "Referer": url}
            form = {"email": email, "password": password}
            login = browser.post(
                f"{url}/user/login/", data=form, headers=headers, timeout=_TIMEOUT_SECONDS, allow_redirects=False
            )
            if login.status_code != requests.codes.found:
                raise LaunchError(
                    f"Label Studio at {url} refuses the login {email}.",
                    "If its password was changed, set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY instead.",
                )
            # Django gives a new cross-site token after a login.
            headers["X-CSRFToken"] = browser.cookies.get("csrftoken") or ""
            answer = browser.post(f"{url}/api/token/", headers=headers, timeout=_TIMEOUT_SECONDS)
            if answer.status_code == requests.codes.conflict:
                return None
            answer.raise_for_status()
            return str(answer.json()["token"])
        except (requests.RequestException, ValueError, KeyError) as error:
            raise LaunchError(f"Label Studio at {url} gave no access token ({type(error).__name__}).") from error


_PROGRAM = """
import os, sys, pathlib
import label_studio
sys.path.insert(0, str(pathlib.Path(label_studio.__file__).parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "label_studio.core.settings.label_studio")
import django
django.setup()
from jwt_auth.models import LSAPIToken
from users.models import User
print("TOKEN", LSAPIToken.for_user(User.objects.get(email=os.environ["LABEL_STUDIO_USERNAME"])).get_full_jwt())
"""


def make_access_token_in_database(executable: Path, environment: dict[str, str]) -> str:
    """Make one more personal access token through Label Studio's own code, without its server.

    Args:
        executable: Label Studio's executable; its interpreter stands beside it.
        environment: What Label Studio is started with: it names the data folder and the user.

    Raises:
        LaunchError: If that fails.
    """
    command = [str(executable.parent / "python"), "-c", _PROGRAM]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)  # noqa: S603 - our own words
    for line in done.stdout.splitlines():
        word, _, token = line.partition(" ")
        if word == "TOKEN" and token:
            return token
    raise LaunchError(
        "Label Studio's access token is lost and no other could be made.",
        "Make one in the browser (Account & Settings, Personal Access Token) and set LABEL_STUDIO_URL and "
        "LABEL_STUDIO_API_KEY.",
    )
