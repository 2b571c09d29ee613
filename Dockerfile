# syntax=docker/dockerfile:1
# One image for every part of the fleet; docker-compose.yml says which command runs where.
ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS build
WORKDIR /src
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY sync_worker sync_worker
COPY webhook_gateway webhook_gateway
COPY sync_sandbox sync_sandbox
COPY sync_console sync_console
RUN python -m venv /opt/ratings-sync \
 && /opt/ratings-sync/bin/pip install --no-cache-dir --disable-pip-version-check -c requirements.lock '.[postgres,flower,console]'

FROM python:${PYTHON}-slim
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin app
COPY --from=build /opt/ratings-sync /opt/ratings-sync
ENV PATH=/opt/ratings-sync/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    RATINGS_SYNC_HOME=/tmp/ratings-sync \
    LOG_FORMAT=json
WORKDIR /tmp
USER 10001:10001
CMD ["ratings-sync", "--help"]
