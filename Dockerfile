# One image for every process of the backend; the word after its name says which:
#
#   api (the default), worker, trainer    run until stopped
#   migrate, connect, doctor, predict, …  run once: see `--help`
#
# docker-compose.yml and deploy/kubernetes start it in all of them.

# Another registry's, or one digest for ever, by --build-arg.
ARG PYTHON_IMAGE=python:3.12-slim-bookworm


FROM ${PYTHON_IMAGE} AS build

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_PROGRESS_BAR=off
WORKDIR /app
RUN python -m venv --without-pip /opt/venv

# What requirements.txt pins is torch's usual build, for NVIDIA GPUs and CPUs: the GPU variant. For the CPU variant, some
# gigabytes smaller, say where torch's CPU builds are: --build-arg PIP_OPTIONS="--extra-index-url ADDRESS".
ARG PIP_OPTIONS=""
# Packages that only some need, such as boto3 where MLflow's server keeps its files in S3.
ARG EXTRA_PACKAGES=""
COPY requirements.txt .
# Two wheels write the folder cv2; the headless one goes on top, because there is no libGL here. Packages are compiled
# now: nobody may write them later.
# hadolint ignore=SC2086
RUN python -m pip --python /opt/venv install --compile ${PIP_OPTIONS} -r requirements.txt ${EXTRA_PACKAGES} \
    && python -m pip --python /opt/venv install --compile ${PIP_OPTIONS} --force-reinstall --no-deps \
        "$(grep '^opencv-python-headless==' requirements.txt)" \
    && /opt/venv/bin/python -c "import cv2, onnxruntime, psycopg, torch; print('torch', torch.__version__)"

COPY LICENSE README.md ./
COPY model model
COPY active_learning active_learning
COPY ml_backend ml_backend
RUN /opt/venv/bin/python -m compileall -q model active_learning ml_backend


FROM ${PYTHON_IMAGE}

LABEL org.opencontainers.image.title="label-studio-ocr-backend" \
      org.opencontainers.image.description="A Label Studio ML backend for documents" \
      org.opencontainers.image.licenses="Apache-2.0"

# Nothing is installed here any more. The number, and not the name, is what Kubernetes can tell from root's.
RUN python -m pip uninstall --yes --root-user-action=ignore pip \
    && useradd --uid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin backend \
    && install --directory --owner=10001 --group=10001 /data /data/run /data/models /data/training_data /data/mlflow

COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app

# Libraries that keep something in their user's home put it with the temporary files: the rest may be read-only.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    HOST=0.0.0.0 \
    PORT=9090 \
    RUN_DIR=/data/run \
    MODELS_DIR=/data/models \
    TRAINING_DATA_DIR=/data/training_data \
    LOG_FORMAT=json

WORKDIR /app
USER 10001:10001
VOLUME ["/data/run", "/data/models", "/data/training_data"]
EXPOSE 9090
HEALTHCHECK --interval=30s --timeout=15s --start-period=180s --retries=3 CMD ["python", "-m", "ml_backend", "health"]
# No shell in between: the process itself gets SIGTERM, and ends its work.
ENTRYPOINT ["python", "-m", "ml_backend"]
CMD ["api"]
