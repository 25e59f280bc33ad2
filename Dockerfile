# The backend, its worker and its trainer: one image, three commands (see docker-compose.yml).
FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app

# More options for pip, for example where to find a CPU build of torch: it saves some gigabytes.
ARG PIP_OPTIONS=""
COPY requirements.txt .
# Two wheels write the folder cv2; the headless one goes on top, because there is no libGL here.
RUN pip install $PIP_OPTIONS -r requirements.txt \
    && pip install --force-reinstall --no-deps "$(grep '^opencv-python-headless==' requirements.txt)" \
    && python -c "import cv2, torch, onnxruntime"

COPY model model
COPY active_learning active_learning
COPY ml_backend ml_backend
COPY LICENSE README.md ./

RUN useradd --create-home --uid 10001 backend && install -d -o backend /data
USER backend
ENV RUN_DIR=/data MODELS_DIR=/data/models TRAINING_DATA_DIR=/data/training_data HOST=0.0.0.0 PORT=9090
VOLUME /data
EXPOSE 9090

CMD ["python", "-m", "gunicorn", "-c", "python:ml_backend.gunicorn_conf", "ml_backend.wsgi:build()"]
