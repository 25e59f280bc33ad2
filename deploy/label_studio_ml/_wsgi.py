"""The backend for ``label-studio-ml start deploy/label_studio_ml``, or ``gunicorn --chdir`` there with ``_wsgi:app``.

Needs the extra ``label-studio-ml``; host, port and all else come from the backend's own settings.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

# The checkout that this file lies in, where the backend is not installed as a package.
sys.path.append(str(Path(__file__).resolve().parents[2]))

from ml_backend.label_studio_ml import build_app
from ml_backend.settings import Settings

given: dict[str, object] = {}
if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The document backend under the label-studio-ml server")
    parser.add_argument("-p", "--port", type=int, default=argparse.SUPPRESS, help="instead of PORT")
    parser.add_argument("--host", default=argparse.SUPPRESS, help="instead of HOST; credentials are needed the same")
    given = vars(parser.parse_args())

settings = Settings(**given)
app = build_app(settings)

if __name__ == "__main__":
    app.run(host=settings.host, port=settings.port, threaded=True)
